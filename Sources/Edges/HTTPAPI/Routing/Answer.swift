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
}
