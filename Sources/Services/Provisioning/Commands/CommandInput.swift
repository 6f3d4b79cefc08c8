import Entitlements
import MeteringModel
import MeteringPorts

/// What a command's body says about the command itself, apart from the record that it is about.
struct CommandInput {
    var body: JSONValue
    var context: CommandContext

    /// Members of answers that come back when a record is sent as it was read.
    private static let shown: Set<String> = ["revision", "change"]

    /// Takes `effective_at` and `reason` out of the body; those of the query come first.
    ///
    /// - Parameters:
    ///   - keepsReason: the reason is part of the record as well.
    ///   - zone: whose midnight a date without a time means.
    init(
        _ command: ControlCommand, keepsReason: Bool, zone: TimeZoneRules
    ) throws(ControlProblem) {
        guard case .object(var members) = command.body else {
            throw ControlProblem(
                .invalid, "invalid_body", "the body must be a JSON object")
        }
        context = command.context
        for name in Self.shown { members[name] = nil }
        if let instant = members.removeValue(forKey: "effective_at"), !instant.isNull,
            context.effectiveAt == nil
        {
            context.effectiveAt = try Self.instant(instant, "effective_at", zone)
        }
        if let reason = members["reason"]?.text, context.reason == nil { context.reason = reason }
        if !keepsReason { members["reason"] = nil }
        body = .object(members)
    }

    /// An instant, or the beginning of a day in a zone, in the words of the codec.
    static func instant(
        _ value: JSONValue, _ field: String, _ zone: TimeZoneRules
    ) throws(ControlProblem) -> Timestamp {
        if let instant = value.text.flatMap({ RecordCodec.instant($0, zone: zone) }) {
            return instant
        }
        throw .invalid(
            "invalid_time",
            "\(field) is neither a date like 2026-01-31 nor an instant like 2026-01-31T09:00:00Z",
            field: field)
    }
}
