internal import NIOCore

/// The answers that a connection owes, in the order of their requests. Answers may be filled in any
/// order; they come out in the order in which they were asked for.
struct AnswerQueue {
    private struct Slot {
        var exchange: Exchange
        var answer: Answer?
    }

    private var slots = CircularBuffer<Slot>(initialCapacity: 4)
    /// Ticket of the slot at the front.
    private var firstTicket = 0

    var count: Int { slots.count }
    var isEmpty: Bool { slots.isEmpty }

    /// Reserves the next place. `answer` may be there already.
    mutating func append(_ exchange: Exchange, answer: Answer? = nil) -> Int {
        slots.append(Slot(exchange: exchange, answer: answer))
        return firstTicket + slots.count - 1
    }

    mutating func fill(_ ticket: Int, _ answer: Answer) {
        let position = ticket - firstTicket
        guard position >= 0, position < slots.count else { return }
        slots[offset: position].answer = answer
    }

    /// The front answer, once it is there.
    mutating func next() -> (exchange: Exchange, answer: Answer)? {
        guard let first = slots.first, let answer = first.answer else { return nil }
        slots.removeFirst()
        firstTicket += 1
        return (first.exchange, answer)
    }
}

extension CircularBuffer {
    subscript(offset offset: Int) -> Element {
        get { self[index(startIndex, offsetBy: offset)] }
        set { self[index(startIndex, offsetBy: offset)] = newValue }
    }
}

/// What an answer needs to know of its request.
struct Exchange {
    var routeIndex: Int
    var isKeepAlive: Bool
    /// HTTP/1.0 clients must be told that a connection stays open.
    var isOldVersion: Bool
    var isHead: Bool
    /// Nil when the client gave none and nothing went wrong.
    var requestID: String?
    /// Bytes taken for its body, and from where.
    var reservedBytes = 0
    var budget = BodyBudget.shared
}
