import EventDecoding
import MeteringModel
import MeteringPorts

/// An event read from the log once more, as text.
struct CountedEvent {
    var position: LogPosition
    var appendedAt: Timestamp
    var source: String
    var id: String
    var type: String
    var subject: String
    var at: Timestamp
    var isBackfill: Bool
    /// A structured CloudEvent, whatever form the record has.
    var json: String

    /// Nil when the record is no event, or its time is none.
    init?(
        _ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan, _ decoder: EventDecoder
    ) {
        let isStructured = EventDecoder.isStructured(headers: headers)
        var found: CountedEvent?
        do throws(DecodeFailure) {
            if isStructured {
                found = try decoder.decodeStructured(value) { event in
                    CountedEvent(event, info, json: EventInterpreter.text(value))
                }
            } else {
                found = try decoder.decodeBinary(
                    headers: headers, data: value, isNull: info.isNull
                ) { event in CountedEvent(event, info, json: nil) }
                let text = Self.envelope(found, data: EventInterpreter.text(value))
                found?.json = text
            }
        } catch {
            return nil
        }
        guard let found else { return nil }
        self = found
    }

    private init?(_ event: borrowing DecodedEvent, _ info: LogRecordInfo, json: String?) {
        position = LogPosition(partition: info.partition, offset: info.offset)
        appendedAt = info.appendedAt
        source = event.withAttribute(.source) { EventInterpreter.text($0) }
        id = event.withAttribute(.id) { EventInterpreter.text($0) }
        type = event.withAttribute(.type) { EventInterpreter.text($0) }
        subject = event.withAttribute(.subject) { EventInterpreter.text($0) }
        isBackfill = event.has(.backfill)
        at = info.appendedAt
        if event.has(.time) {
            guard let time = event.withAttribute(.time, { Timestamp(rfc3339: $0) }) else {
                return nil
            }
            at = time
        }
        self.json = json ?? ""
    }

    /// The structured form of an event whose attributes were headers. Data that is no JSON stays
    /// out: nothing is read from it.
    private static func envelope(_ event: CountedEvent?, data: String) -> String {
        guard let event else { return "" }
        let document = JSONValue.members([
            "specversion": .string("1.0"), "id": .string(event.id),
            "source": .string(event.source), "type": .string(event.type),
            "subject": .string(event.subject), "time": .string(event.at.rfc3339()),
            "tollgatebackfill": event.isBackfill ? .bool(true) : nil,
            "data": try? JSONParser.parse(data),
        ])
        return document.canonicalText
    }
}
