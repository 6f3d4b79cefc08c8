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
        let log = ImportLog(
            own: try sequences(of: id), undone: try undone(by: Self.rollBackRequest(id)))
        try requireNothingBuilds(on: id, log)
        if context.isDryRun { return Self.answer(progress) }
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

    /// Rows of the log that an import made, and those of them that are out already.
    private struct ImportLog {
        /// Ascending.
        var own: [Int64]
        var undone: Set<Int64>
        var remaining: [Int64] { undone.isEmpty ? own : own.filter { !undone.contains($0) } }

        func has(_ sequence: Int64) -> Bool {
            var low = 0
            var high = own.count
            while low < high {
                let middle = (low + high) / 2
                if own[middle] < sequence { low = middle + 1 } else { high = middle }
            }
            return low < own.count && own[low] == sequence
        }
    }

    // MARK: reading the log

    private static let pageSize = 1_000

    private func stored<Value>(
        _ body: (any ControlStore) throws(ControlStoreError) -> Value
    ) throws(ControlProblem) -> Value {
        do throws(ControlStoreError) { return try body(engine.store) } catch { throw .store(error) }
    }

    /// Goes through the rows of one request, a page at a time: an import's do not fit in memory.
    private func forEachChange(
        of request: String, _ body: (ControlChange) throws(ControlProblem) -> Void
    ) throws(ControlProblem) {
        var after: Int64 = 0
        while true {
            let page = try stored { store throws(ControlStoreError) in
                try store.changes(
                    AuditFilter(requestID: request), after: after, limit: Self.pageSize)
            }
            for row in page { try body(row.change) }
            guard page.count == Self.pageSize, let last = page.last else { return }
            after = last.change.sequence
        }
    }

    private func sequences(of request: String) throws(ControlProblem) -> [Int64] {
        var sequences: [Int64] = []
        try forEachChange(of: request) { sequences.append($0.sequence) }
        return sequences
    }

    private func undone(by request: String) throws(ControlProblem) -> Set<Int64> {
        var sequences: Set<Int64> = []
        try forEachChange(of: request) { change in
            if let undone = change.undoes { sequences.insert(undone) }
        }
        return sequences
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
            let page = try stored { store throws(ControlStoreError) in
                try store.changes(
                    AuditFilter(requestID: request), after: after,
                    limit: min(Self.pageSize, sequences.count))
            }
            guard let last = page.last else { return changes }
            changes += page.map(\.change).filter { wanted.contains($0.sequence) }
            after = last.change.sequence
        }
        return changes
    }

    // MARK: what builds on an import

    private func requireNothingBuilds(
        on id: String, _ log: ImportLog
    ) throws(ControlProblem) {
        var last: (kind: RecordKind, id: String)?
        try forEachChange(of: id) { change throws(ControlProblem) in
            if let last, last.kind == change.kind, last.id == change.id { return }
            last = (change.kind, change.id)
            let record = try stored { store throws(ControlStoreError) in
                try store.record(change.kind, change.id)
            }
            if let record { try requireOwn(record, since: change.sequence, log) }
            guard change.kind == .customer, change.action == .create else { return }
            try requireOwnRecords(of: CustomerID(change.id), log)
        }
    }

    private func requireOwnRecords(
        of customer: CustomerID, _ log: ImportLog
    ) throws(ControlProblem) {
        var records = try stored { store throws(ControlStoreError) in
            try store.contract(of: customer)
        }
        records += try stored { store throws(ControlStoreError) in
            try store.records(.seat, customer: customer, after: nil, limit: 1)
        }
        for record in records where record.latest != nil { try requireOwn(record, since: 0, log) }
        let children = try stored { store throws(ControlStoreError) in
            try store.children(of: customer)
        }
        for child in children {
            let record = try stored { store throws(ControlStoreError) in
                try store.record(.customer, child.rawValue)
            }
            if let record { try requireOwn(record, since: 0, log) }
        }
    }

    /// Everything that was done to the record since then must be the import's own.
    private func requireOwn(
        _ record: RecordHistory, since sequence: Int64, _ log: ImportLog
    ) throws(ControlProblem) {
        let other = record.entries.first { $0.sequence > sequence && !log.has($0.sequence) }
        guard let other else { return }
        throw ControlProblem(
            .conflict, "cannot_roll_back",
            "\(record.kind.words) \"\(record.id)\" was made or changed by something else since "
                + "(change \(other.sequence)); undo that first")
    }
}
