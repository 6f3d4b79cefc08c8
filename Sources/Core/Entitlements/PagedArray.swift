/// An array whose copies share what they have in common: an update copies one page and the two
/// short lists above it, however long the array is.
///
/// The sharing is that of Swift's own arrays, nested three deep. Look-ups allocate nothing.
struct PagedArray<Element: Sendable>: Sendable {
    private static var pageBits: Int { 6 }
    private static var middleBits: Int { 7 }
    private static var pageMask: Int { (1 << pageBits) - 1 }
    private static var middleMask: Int { (1 << middleBits) - 1 }

    private var pages: [[[Element]]] = []
    private(set) var count = 0

    init() {}

    init(repeating element: Element, count: Int) {
        for _ in 0..<count { append(element) }
    }

    subscript(index: Int) -> Element {
        // Lends the element: what only looks at it retains nothing.
        _read {
            let page = index &>> Self.pageBits
            yield pages[page &>> Self.middleBits][page & Self.middleMask][index & Self.pageMask]
        }
        _modify {
            let page = index &>> Self.pageBits
            yield &pages[page &>> Self.middleBits][page & Self.middleMask][index & Self.pageMask]
        }
    }

    mutating func append(_ element: Element) {
        let page = count >> Self.pageBits
        let top = page >> Self.middleBits
        if top == pages.count { pages.append([]) }
        if page & Self.middleMask == pages[top].count {
            pages[top].append([])
            pages[top][page & Self.middleMask].reserveCapacity(Self.pageMask + 1)
        }
        pages[top][page & Self.middleMask].append(element)
        count += 1
    }
}
