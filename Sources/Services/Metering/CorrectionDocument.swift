import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Corrections as people read them.
extension EventCorrector {
    /// What a content counts, by meter.
    func shares(
        of content: EventContent, _ snapshot: CatalogSnapshot
    ) -> Result<[EventInterpreter.PendingValue], EventProblem> {
        let interpreter = EventInterpreter(
            snapshot: snapshot, settings: settings, counters: MeteringCounters(), instance: "",
            dedupe: DedupeIndex(windowSeconds: 4), sets: DimensionSets())
        let info = LogRecordInfo(partition: 0, offset: 0, appendedAt: content.at, isNull: false)
        return interpreter.fold(content, info).map { _ in interpreter.pending }
    }

    func document(_ record: CorrectionRecord) -> JSONValue {
        .members([
            "id": .string(record.id), "action": .string(record.action.rawValue),
            "source": .string(record.source), "event_id": .string(record.eventID),
            "number": .integer(record.number), "customer": .string(record.customer.rawValue),
            "reason": .string(record.reason), "actor": .string(record.actor),
            "recorded_at": .string(record.recordedAt.rfc3339()),
            "state": .string(record.refusal == nil ? "applied" : "refused"),
            "refusal": record.refusal.map(JSONValue.string),
            "meters": meters(record), "removed": content(record.removed),
            "added": content(record.added),
            "position": .object([
                "partition": .integer(record.position.partition),
                "offset": .integer(record.position.offset),
            ]),
        ])
    }

    private func content(_ content: EventContent?) -> JSONValue {
        guard let content else { return .null }
        return .object([
            "customer": .string(content.customer.rawValue), "time": .string(content.at.rfc3339()),
            "event": (try? JSONParser.parse(content.json)) ?? .string(content.json),
        ])
    }

    /// What each meter read of the event before, and reads now.
    private func meters(_ record: CorrectionRecord) -> JSONValue {
        let snapshot = parts.catalog.load()
        var rows: [MeterKey: [String: JSONValue]] = [:]
        for (name, content) in [("removed", record.removed), ("added", record.added)] {
            guard let content, case .success(let shares) = shares(of: content, snapshot) else {
                continue
            }
            for share in shares {
                let meter = snapshot.meters[share.meter.meterIndex]
                rows[meter.key, default: [:]][name] =
                    share.meter.aggregation == .unique
                    ? .integer(1) : RecordCodec.quantity(share.value, scale: meter.scale)
            }
        }
        return .array(
            rows.sorted { $0.key < $1.key }.map { key, values in
                .object([
                    "meter": .string(key.rawValue), "removed": values["removed"] ?? .null,
                    "added": values["added"] ?? .null,
                ])
            })
    }
}
