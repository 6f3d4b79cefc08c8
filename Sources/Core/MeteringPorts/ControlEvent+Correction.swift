package import MeteringModel

extension ControlEvent {
    /// The log's record of a correction. Its identity is the correction's, so that of two that were
    /// made at once under one number the log's first is the one that counts.
    package static func fields(_ record: CorrectionRecord) -> Fields {
        func content(_ content: EventContent?) -> JSONValue? {
            content.map {
                .object([
                    "customer": .string($0.customer.rawValue),
                    "at": .integer($0.at.microseconds), "event": .string($0.json),
                ])
            }
        }
        let document = JSONValue.members([
            "number": .integer(record.number), "action": .string(record.action.rawValue),
            "source": .string(record.source), "event_id": .string(record.eventID),
            "reason": .string(record.reason), "actor": .string(record.actor),
            "partition": .integer(record.event.partition),
            "offset": .integer(record.event.offset), "removed": content(record.removed),
            "added": content(record.added),
        ])
        return Fields([
            .customer: record.customer.rawValue, .correction: document.canonicalText,
        ])
    }

    /// - Parameters: where the log has the correction itself, and when it took it.
    /// - Returns: nil when a member is missing.
    package static func correction(
        _ fields: Fields, at position: LogPosition, appendedAt: Timestamp
    ) -> CorrectionRecord? {
        func content(_ value: JSONValue?) -> EventContent? {
            guard let value, let customer = value["customer"]?.text,
                let at = value["at"]?.integer, let json = value["event"]?.text
            else { return nil }
            return EventContent(
                customer: CustomerID(customer), at: Timestamp(microseconds: at), json: json)
        }
        guard let document = try? JSONParser.parse(fields[.correction]),
            let number = document["number"]?.integer,
            let action = document["action"]?.text.flatMap(CorrectionRecord.Action.init),
            let source = document["source"]?.text, let eventID = document["event_id"]?.text,
            let reason = document["reason"]?.text, let actor = document["actor"]?.text,
            let partition = document["partition"]?.integer.flatMap({ Int32(exactly: $0) }),
            let offset = document["offset"]?.integer
        else { return nil }
        return CorrectionRecord(
            number: number, action: action, source: source, eventID: eventID, reason: reason,
            actor: actor, customer: CustomerID(fields[.customer]),
            event: LogPosition(partition: partition, offset: offset),
            removed: content(document["removed"]), added: content(document["added"]),
            position: position, recordedAt: appendedAt)
    }
}
