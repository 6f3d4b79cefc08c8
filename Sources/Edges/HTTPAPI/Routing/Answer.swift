/// Everything about an answer but its body.
struct AnswerHead: Sendable {
    var status: Int
    var contentType: StaticString = "application/json"
    var headers: [(name: String, value: String)] = []

    static let ok = AnswerHead(status: 200)
}

/// An answer that was made away from the event loop.
struct Answer: Sendable {
    var head: AnswerHead
    var body: [UInt8]

    static func json(status: Int = 200, _ write: (inout JSONWriter) -> Void) -> Answer {
        var writer = JSONWriter()
        write(&writer)
        return Answer(head: AnswerHead(status: status), body: writer.bytes)
    }

    /// One page of a list: `{"<name>": […], "next": …}`. `name` is quoted, with its colon.
    static func page<Element>(
        _ name: StaticString, _ page: Page<Element>,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> Answer {
        .json { writer in
            writer.object { writer in
                writer.name(name)
                writer.array(page.elements) { writer, element in
                    writer.object { writer in write(&writer, element) }
                }
                writer.member("\"next\":", page.next)
            }
        }
    }
}

/// Some of a list, and where the rest of it begins.
struct Page<Element> {
    var elements: [Element]
    var next: String?

    init(_ page: (elements: [Element], next: String?)) { (elements, next) = page }
}
