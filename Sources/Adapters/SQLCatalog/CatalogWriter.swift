import MeteringModel
import MeteringPorts
import SQLClient

/// What a commit does on the writing connection.
struct CatalogWriter {
    let connection: SQLConnection

    /// The whole commit in one transaction.
    /// - Returns: the revision afterwards.
    func commit(_ commit: ControlCommit) throws(ControlStoreError) -> Int64 {
        try connection.transaction(mapping: { ControlStoreError($0) }) {
            () throws(ControlStoreError) in
            var head: (sequence: Int64, hash: [UInt8])
            do throws(SQLError) { head = try self.head() } catch { throw ControlStoreError(error) }
            guard head.sequence == commit.base else {
                throw ControlStoreError(
                    code: .conflict,
                    message: "made against revision \(commit.base), and it is \(head.sequence)",
                    isRetriable: true)
            }
            try take(commit.webhook)
            do throws(SQLError) {
                // Kept from row to row for its memory.
                var text: [UInt8] = []
                for change in commit.changes {
                    var change = change
                    change.sequence = head.sequence + 1
                    head = (change.sequence, try append(change, after: head.hash, &text))
                    try updateRecord(with: change)
                }
                if let answer = commit.answer { try put(answer) }
                if let progress = commit.progress { try put(progress) }
            } catch {
                throw ControlStoreError(error)
            }
            return head.sequence
        }
    }

    private func head() throws(SQLError) -> (sequence: Int64, hash: [UInt8]) {
        let query = try connection.statement(
            "SELECT seq, hash FROM changes ORDER BY seq DESC LIMIT 1")
        let head = try query.rows { ($0.integer(at: 0), $0.bytes(at: 1)) }.first
        return head ?? (0, AuditChain.origin)
    }

    /// - Parameter text: room for the row's text.
    /// - Returns: the new head's hash.
    private func append(
        _ change: ControlChange, after previous: [UInt8], _ text: inout [UInt8]
    ) throws(SQLError) -> [UInt8] {
        text.removeAll(keepingCapacity: true)
        change.writeDocument(to: &text)
        let hash = AuditChain.link(previous, text)
        let insert = try connection.statement(
            """
            INSERT INTO changes (seq, at, kind, id, customer, actor, request_id, previous_hash,
                hash, document)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """)
        try insert.bind(change.sequence, at: 1)
        try insert.bind(change.at.microseconds, at: 2)
        try insert.bind(change.kind.rawValue, at: 3)
        try insert.bind(change.id, at: 4)
        try insert.bind(change.customer?.rawValue ?? "", at: 5)
        try insert.bind(change.actor, at: 6)
        try insert.bind(change.requestID, at: 7)
        try insert.bind(previous, at: 8)
        try insert.bind(hash, at: 9)
        try insert.bind(String(decoding: text, as: UTF8.self), at: 10)
        try insert.run()
        return hash
    }

    // MARK: records

    private func updateRecord(with change: ControlChange) throws(SQLError) {
        let known = try record(change.kind, change.id)
        var row = known.map(RecordRow.init) ?? RecordRow(of: change)
        let ownerBefore = row.owner
        row.apply(change)
        let latest = row.history.latest
        if known != nil, !ownerBefore.isSameText(row.owner) {
            let delete = try connection.statement("DELETE FROM records WHERE kind = $1 AND id = $2")
            try delete.bind(change.kind.rawValue, at: 1)
            try delete.bind(change.id, at: 2)
            try delete.run()
        }
        let upsert = try connection.statement(
            """
            INSERT INTO records (customer, kind, id, revision, is_live, entries)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (customer, kind, id) DO UPDATE SET
                revision = excluded.revision, is_live = excluded.is_live,
                entries = excluded.entries
            """)
        try upsert.bind(row.owner, at: 1)
        try upsert.bind(change.kind.rawValue, at: 2)
        try upsert.bind(change.id, at: 3)
        try upsert.bind(row.history.revision, at: 4)
        try upsert.bind(Int64(latest == nil ? 0 : 1), at: 5)
        try upsert.bind(row.entriesText, at: 6)
        try upsert.run()
        switch change.kind {
        case .customer: try indexCustomer(change.id, from: known?.latest, to: latest)
        case .subscription: try indexSubscription(change.id, from: known?.latest, to: latest)
        case .product, .meter, .feature, .plan, .addOn, .integration, .override, .grant,
            .suspension, .revocation, .seat, .credential, .alertEndpoint, .signal, .correction:
            break
        }
    }

    private func record(_ kind: RecordKind, _ id: String) throws(SQLError) -> RecordHistory? {
        let query = try connection.statement(recordText)
        try query.bind(kind.rawValue, at: 1)
        try query.bind(id, at: 2)
        return try query.rows { (row) throws(SQLError) in try RecordHistory(row: row) }.first
    }

    // MARK: what goes with a commit

    private func take(_ webhook: (source: String, id: String)?) throws(ControlStoreError) {
        guard let webhook else { return }
        do throws(SQLError) {
            let insert = try connection.statement(
                "INSERT INTO webhooks (source, id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            try insert.bind(webhook.source, at: 1)
            try insert.bind(webhook.id, at: 2)
            try insert.run()
        } catch {
            throw ControlStoreError(error)
        }
        if connection.changedRows == 0 {
            throw ControlStoreError(
                code: .conflict,
                message: "the event \(webhook.id) of \(webhook.source) has been taken already")
        }
    }

    private func put(_ answer: StoredAnswer) throws(SQLError) {
        let upsert = try connection.statement(
            """
            INSERT OR REPLACE INTO answers (key, request_digest, status, body, entity_tag, at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        try upsert.bind(answer.key, at: 1)
        try upsert.bind(answer.requestDigest, at: 2)
        try upsert.bind(Int64(answer.status), at: 3)
        try upsert.bind(answer.body.canonicalText, at: 4)
        try upsert.bind(optional: answer.entityTag, at: 5)
        try upsert.bind(answer.at.microseconds, at: 6)
        try upsert.run()
    }

    func put(_ progress: ImportProgress) throws(SQLError) {
        let upsert = try connection.statement(
            """
            INSERT OR REPLACE INTO imports (id, state, digest, total, done, created, changed,
                unchanged, started_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """)
        try upsert.bind(progress.id, at: 1)
        try upsert.bind(progress.state.rawValue, at: 2)
        try upsert.bind(progress.digest, at: 3)
        try upsert.bind(Int64(progress.total), at: 4)
        try upsert.bind(Int64(progress.done), at: 5)
        try upsert.bind(Int64(progress.created), at: 6)
        try upsert.bind(Int64(progress.changed), at: 7)
        try upsert.bind(Int64(progress.unchanged), at: 8)
        try upsert.bind(progress.startedAt.microseconds, at: 9)
        try upsert.bind(progress.updatedAt.microseconds, at: 10)
        try upsert.run()
    }
}

let recordText = "SELECT \(RecordRow.columns) FROM records WHERE kind = $1 AND id = $2"
