// Parameters that many routes take.
extension RouteTable {
    static let paging: [Operation.Parameter] = [
        .init(name: "limit", type: "integer", text: "At most so many, up to 1000."),
        .init(name: "cursor", text: "The next of the page before."),
    ]

    static let at = Operation.Parameter(
        name: "at", text: "As it was, is or will be at this instant, RFC 3339; now when absent.")

    static let dryRun = Operation.Parameter(
        name: "dry_run", type: "boolean", text: "Only say what would change.")

    static let expectedCount = Operation.Parameter(
        name: "expected_count", type: "integer",
        text: "How many records are expected to change; another number changes nothing.")

    /// What every command takes.
    static let command: [Operation.Parameter] = [
        .init(
            name: "Idempotency-Key", place: .header,
            text: "1 to 255 visible ASCII characters: the same key, the same answer, one effect."),
        .init(
            name: "Tollgate-Source", place: .header,
            text: "The system that asks, for the audit log; api when absent."),
        .init(name: "reason", text: "Why, for the audit log; or a member of the body."),
    ]

    static let ifMatch = Operation.Parameter(
        name: "If-Match", place: .header,
        text: "The ETag of what is to be changed; a stale one changes nothing (412).")

    static let effectiveAt = Operation.Parameter(
        name: "effective_at",
        text: "From when it holds, RFC 3339, past and future allowed; or a member of the body.")

    static let change = [effectiveAt, dryRun, ifMatch] + command
}
