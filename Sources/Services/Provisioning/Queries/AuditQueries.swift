package import MeteringModel
package import MeteringPorts

/// The log of changes, and what single requests and imports did.
struct AuditQueries {
    let engine: ControlEngine
    let tree: TreeScope

    /// Rows with their hashes, oldest first; the cursor is the last row's sequence.
    func rows(
        _ filter: AuditFilter, _ query: ControlQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let page = try Page(query)
        var filter = filter
        if let root = query.principal.customer {
            let customer = filter.customer ?? root
            try tree.require(customer, query.principal)
            filter.customer = customer
        }
        guard let after = Int64(page.after ?? "0"), after >= 0 else {
            throw ControlProblem(
                .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
                field: "cursor")
        }
        let rows = try rows(filter, after: after, limit: page.limit + 1)
        let shown = rows.prefix(page.limit)
        let next = rows.count > page.limit ? shown.last?.change.sequence : nil
        return ControlAnswer(
            body: .members([
                "items": .array(shown.map(Self.document)),
                "next": .optional(next.map { Base64URL.encode(String($0)) }),
            ]))
    }

    /// What one request changed.
    func request(_ id: String, _ query: ControlQuery) throws(ControlProblem) -> ControlAnswer {
        let page = try Page(query)
        let after = Int64(page.after ?? "0") ?? 0
        let rows = try rows(
            AuditFilter(requestID: id), after: after, limit: page.limit + 1)
        let isVisible = rows.allSatisfy { row in
            query.principal.customer == nil
                || row.change.customer.map { tree.mayName($0, query.principal) } ?? false
        }
        guard !rows.isEmpty, isVisible else {
            throw ControlProblem(
                .notFound, "not_found", "no change was made by a request \"\(id)\"")
        }
        let shown = rows.prefix(page.limit)
        let next = rows.count > page.limit ? shown.last?.change.sequence : nil
        return ControlAnswer(
            body: .members([
                "request_id": .string(id), "items": .array(shown.map(Self.document)),
                "next": .optional(next.map { Base64URL.encode(String($0)) }),
            ]))
    }

    func importProgress(_ id: String) throws(ControlProblem) -> ControlAnswer {
        let progress: ImportProgress?
        do throws(ControlStoreError) {
            progress = try engine.store.imports(id)
        } catch {
            throw .store(error)
        }
        guard let progress else {
            throw ControlProblem(.notFound, "not_found", "there is no import \"\(id)\"")
        }
        return ControlAnswer(body: progress.document)
    }

    private func rows(
        _ filter: AuditFilter, after: Int64, limit: Int
    ) throws(ControlProblem) -> [AuditRow] {
        do throws(ControlStoreError) {
            return try engine.store.changes(filter, after: after, limit: limit)
        } catch {
            throw .store(error)
        }
    }

    private static func document(_ row: AuditRow) -> JSONValue {
        row.change.document.setting([
            "prev_hash": .string(hex(row.previousHash)), "hash": .string(hex(row.hash)),
        ])
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension ImportProgress {
    /// As the API shows it.
    package var document: JSONValue {
        .members([
            "id": .string(id), "state": .string(state.rawValue), "total": .integer(total),
            "done": .integer(done), "created": .integer(created), "changed": .integer(changed),
            "unchanged": .integer(unchanged), "started_at": .string(startedAt.rfc3339()),
            "updated_at": .string(updatedAt.rfc3339()),
        ])
    }
}
