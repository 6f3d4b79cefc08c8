import MeteringModel
package import MeteringPorts

extension BulkImport {
    /// Takes out everything that an import did, the last change first.
    ///
    /// Whether anything else builds on it is found out before the first change is taken out. The
    /// same call again goes on where it stopped.
    /// - Throws: `not_found`; `cannot_roll_back` when records were changed since, or customers that
    ///   the import made have got records of other origin: nothing was changed then.
    package func rollBack(
        _ id: String, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        guard
            var progress = try stored({ store throws(ControlStoreError) in try store.imports(id) })
        else {
            throw ControlProblem(.notFound, "not_found", "there is no import \"\(id)\"")
        }
        if progress.state == .rolledBack, progress.done == 0 { return Self.answer(progress) }
        let log = try readLog(of: id)
        for record in log.suspects { try requireOwn(record, log) }
        if context.isDryRun {
            // Rows of one record follow each other or not: what counts is how many are taken back.
            let count = log.remaining.count
            return ControlAnswer(
                body: Self.answer(progress).body.setting([
                    "would_take_back": .members([
                        "changes": .integer(count), "customers": .integer(log.customers.count),
                    ]),
                    "change": .members([
                        "request_id": .string(Self.rollBackRequest(id)), "dry_run": .bool(true),
                        "changed": .integer(count),
                    ]),
                ]))
        }
        var chunkContext = context
        chunkContext.requestID = Self.rollBackRequest(id)
        chunkContext.idempotencyKey = nil
        chunkContext.ifMatch = nil
        chunkContext.reason = context.reason ?? "import \(id) is rolled back"
        if context.source == "api" { chunkContext.source = "import" }
        let total = max(log.own.count, 1)
        let lines = progress.done
        var left = log.remaining
        repeat {
            // A few records a customer: about as many customers as a chunk of the import.
            let chunk = Array(left.suffix(2 * customersPerChunk))
            left.removeLast(chunk.count)
            var next = progress
            next.state = .rolledBack
            next.done = left.isEmpty ? 0 : max(1, lines * left.count / total)
            next.updatedAt = engine.clock.now().wholeSeconds
            progress = next
            _ = try await engine.run(chunkContext, digest: "", progress: next) {
                (draft) throws(ControlProblem) in
                for change in try changes(chunk, of: id).reversed() { try draft.undo(change) }
                return ControlAnswer(body: .object([:]))
            }
            await Task.yield()
        } while !left.isEmpty
        return Self.answer(progress)
    }

    static func rollBackRequest(_ id: String) -> String { "\(id):rollback" }

    // MARK: reading the log

    private static let pageSize = 1_000

    private func stored<Value>(
        _ body: (any ControlStore) throws(ControlStoreError) -> Value
    ) throws(ControlProblem) -> Value {
        do throws(ControlStoreError) { return try body(engine.store) } catch { throw .store(error) }
    }

    /// Goes through the log from the import's first row on.
    private func readLog(of id: String) throws(ControlProblem) -> ImportLog {
        var log = ImportLog(id)
        let first = try page(AuditFilter(requestID: id), after: 0, limit: 1).first
        guard var after = first.map({ $0.change.sequence - 1 }) else { return log }
        while true {
            let rows = try page(AuditFilter(), after: after, limit: Self.pageSize)
            for row in rows { log.take(row.change) }
            guard rows.count == Self.pageSize, let last = rows.last else { return log }
            after = last.change.sequence
        }
    }

    private func page(
        _ filter: AuditFilter, after: Int64, limit: Int
    ) throws(ControlProblem) -> [AuditRow] {
        try stored { store throws(ControlStoreError) in
            try store.changes(filter, after: after, limit: limit)
        }
    }

    /// The rows with these sequences, which are ascending.
    private func changes(
        _ sequences: [Int64], of request: String
    ) throws(ControlProblem) -> [ControlChange] {
        guard let first = sequences.first else { return [] }
        let wanted = Set(sequences)
        var after = first - 1
        var changes: [ControlChange] = []
        while changes.count < sequences.count {
            let rows = try page(
                AuditFilter(requestID: request), after: after,
                limit: min(Self.pageSize, sequences.count))
            guard let last = rows.last else { return changes }
            changes += rows.map(\.change).filter { wanted.contains($0.sequence) }
            after = last.change.sequence
        }
        return changes
    }

    // MARK: what builds on an import

    /// Everything that was done to the record since the import and still holds must be its own.
    private func requireOwn(
        _ reference: RecordReference, _ log: ImportLog
    ) throws(ControlProblem) {
        let record = try stored { store throws(ControlStoreError) in
            try store.record(reference.kind, reference.id)
        }
        let other = record?.entries.first { $0.sequence > log.first && !log.has($0.sequence) }
        guard let record, record.latest != nil || log.touches(reference), let other else { return }
        let request = try page(AuditFilter(), after: other.sequence - 1, limit: 1)
            .first?.change.requestID
        throw ControlProblem(
            .conflict, "cannot_roll_back",
            "\(record.kind.words) \"\(record.id)\" was made or changed since by request "
                + "\"\(request ?? "")\" (change \(other.sequence)); undo that one first")
    }
}
