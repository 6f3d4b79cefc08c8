/// Lets one caller in at a time, in the order of their coming. For the state of one actor, whose
/// methods would otherwise interleave where they wait.
struct FIFOGate {
    /// More than this do not wait.
    static let waitingMax = 10_000

    private(set) var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var first = 0

    var isFull: Bool { waiting.count - first >= Self.waitingMax }

    /// True when the caller may go on at once.
    mutating func enter() -> Bool {
        if isTaken { return false }
        isTaken = true
        return true
    }

    mutating func wait(_ continuation: CheckedContinuation<Void, Never>) {
        waiting.append(continuation)
    }

    /// Lets the next one in.
    mutating func leave() {
        guard first < waiting.count else {
            waiting.removeAll(keepingCapacity: true)
            first = 0
            isTaken = false
            return
        }
        let next = waiting[first]
        first += 1
        if first > 1_024 {
            waiting.removeFirst(first)
            first = 0
        }
        next.resume()
    }
}
