import MeteringModel
import MeteringPorts

/// What exports are shown as.
enum ExportDocument {
    static func event(_ event: StoredMeterEvent) -> JSONValue {
        let draft = event.draft
        return .members([
            "identifier": .string(draft.identifier),
            "customer": .string(draft.customer.rawValue),
            "meter": .string(draft.meter.rawValue),
            "window": .object([
                "start": time(draft.window.start), "end": time(draft.window.end),
            ]),
            "revision": .integer(draft.revision), "value": .integer(draft.value),
            "stripe_customer": .string(draft.stripeCustomer),
            "event_name": .string(draft.eventName),
            "timestamp": draft.timestamp.map(time), "state": .string(event.state.rawValue),
            "planned_at": time(event.plannedAt), "calls": .integer(event.callCount),
            "first_call_at": event.firstCallAt.map(time),
            "next_call_at": event.state == .planned ? time(event.dueAt) : nil,
            "answer": event.answer.map { .string($0) },
            "settled_at": event.settledAt.map(time),
            "resolution": event.resolution.map { resolution in
                .object([
                    "as": .string(resolution.verdict.rawValue), "by": .string(resolution.by),
                    "reason": .string(resolution.reason), "at": time(resolution.at),
                ])
            },
            "replaced_by": event.replacedBy.map { .string($0) },
        ])
    }

    static func credit(_ credit: MeterCredit) -> JSONValue {
        .object([
            "customer": .string(credit.customer.rawValue), "meter": .string(credit.meter.rawValue),
            "month_start": time(credit.month), "units": .integer(credit.units),
        ])
    }

    static func note(_ note: StatementExportNote) -> JSONValue {
        .members([
            "format": .string(note.format), "month": .string(note.month.description),
            "customer": note.customer.map { .string($0.rawValue) },
            "digest": .string(note.digest), "line_count": .integer(note.lineCount),
            "first_line": note.firstLine.map { .string($0) },
            "last_line": note.lastLine.map { .string($0) }, "by": .string(note.by),
            "at": time(note.at),
        ])
    }

    private static func time(_ instant: Timestamp) -> JSONValue { .string(instant.rfc3339()) }
}
