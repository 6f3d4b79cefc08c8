package import MeteringModel

/// Records that other services than the control plane keep in its log: durable, hash-chained,
/// audited with actor and reason, and idempotent under the caller's key.
package protocol RecordKeeping: AnyObject, Sendable {
    /// Works out what becomes of one record and commits it.
    ///
    /// - Parameters:
    ///   - digest: of method, path, query and body: what an idempotency key stands for.
    ///   - body: gets the record's document as it is, nil when there is none; returns the whole
    ///     document as it shall be (nil: deleted) and the answer. May run more than once.
    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer

    func history(_ kind: RecordKind, _ id: String) throws(ControlProblem) -> RecordHistory?
    /// All that are there now, by id; `customer` narrows.
    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory]
}
