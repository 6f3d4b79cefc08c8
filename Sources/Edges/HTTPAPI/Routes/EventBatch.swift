internal import MeteringModel
internal import NIOCore

/// A body of structured events, split without being decoded: where each one stands, and its subject.
struct EventBatch {
    enum Element {
        case event(Event)
        case notAnObject
    }

    struct Event {
        var range: Range<Int>
        /// Empty when the event has none, or one that is no string.
        var subject: String
        /// How many members are called so.
        var subjectCount = 0
        var isEmpty: Bool
        /// Whether it already has the member that marks a backfill.
        var hasBackfillMark: Bool
    }

    /// Written in front of an event's members; the pipeline then counts it in its own, old period.
    private static let backfillMark = Array("{\"tollgatebackfill\":true".utf8)

    let body: ByteBuffer
    let isBatch: Bool
    private(set) var elements: [Element] = []

    init(single body: ByteBuffer) throws(BodyFailure) {
        self.body = body
        isBatch = false
        let bytes = body.readableBytesSpan
        var cursor = JSONCursor()
        cursor.depthMax = JSONCursor.batchDepthMax
        elements = [try Self.element(&cursor, bytes, body)]
        try cursor.end(bytes)
    }

    init(batch body: ByteBuffer, countMax: Int) throws(BodyFailure) {
        self.body = body
        isBatch = true
        let bytes = body.readableBytesSpan
        var cursor = JSONCursor()
        cursor.depthMax = JSONCursor.batchDepthMax
        var isFirst = true
        try cursor.beginArray(bytes)
        while try cursor.nextElement(bytes, isFirst: &isFirst) {
            if elements.count == countMax {
                throw BodyFailure(tooMany: "more than \(countMax) events in one request")
            }
            elements.append(try Self.element(&cursor, bytes, body))
        }
        try cursor.end(bytes)
    }

    private static func element(
        _ cursor: inout JSONCursor, _ bytes: RawSpan, _ body: ByteBuffer
    ) throws(BodyFailure) -> Element {
        guard cursor.peek(bytes) == UInt8(ascii: "{") else {
            try cursor.value(bytes)
            return .notAnObject
        }
        let start = cursor.index
        var event = Event(range: start..<start, subject: "", isEmpty: true, hasBackfillMark: false)
        var isFirst = true
        try cursor.beginObject(bytes)
        while let name = try cursor.nextMember(bytes, isFirst: &isFirst) {
            event.isEmpty = false
            let isSubject = isNamed("subject", name, bytes, body)
            if isSubject { event.subjectCount += 1 }
            if isSubject, cursor.peek(bytes) == UInt8(ascii: "\"") {
                event.subject = body.text(try cursor.string(bytes))
            } else {
                if isNamed("tollgatebackfill", name, bytes, body) { event.hasBackfillMark = true }
                try cursor.value(bytes)
            }
        }
        event.range = start..<cursor.index
        return .event(event)
    }

    /// Whether a member has this name, even when it is written with escapes.
    private static func isNamed(
        _ expected: StaticString, _ name: JSONCursor.Text, _ bytes: RawSpan, _ body: ByteBuffer
    ) -> Bool {
        if name.isPlain { return bytes.equals(expected, name.range) }
        return body.text(name) == expected.description
    }

    /// The event's own text, with the backfill mark in front where it is wanted.
    func json(of event: Event, marksBackfill: Bool) -> [UInt8] {
        guard marksBackfill, !event.hasBackfillMark else { return body.bytes(event.range) }
        var json = Self.backfillMark
        if !event.isEmpty { json.append(UInt8(ascii: ",")) }
        json.append(contentsOf: body.bytes(event.range.lowerBound + 1..<event.range.upperBound))
        return json
    }
}
