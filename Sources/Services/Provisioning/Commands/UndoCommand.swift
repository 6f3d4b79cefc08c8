import MeteringModel
import MeteringPorts

/// Takes all changes of one request out again, the last one first.
enum UndoCommand {
    static func run(
        _ request: String, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        let changes = try changes(of: request, draft)
        if changes.isEmpty {
            throw ControlProblem(
                .notFound, "not_found", "no change was made by a request \"\(request)\"")
        }
        if let key = changes.first(where: { $0.kind == .credential }) {
            throw ControlProblem(
                .conflict, "cannot_undo",
                "a key cannot be unmade or brought back: revoke \(key.id), or make another")
        }
        var count = 0
        for change in changes.reversed() where try draft.undo(change) { count += 1 }
        return ControlAnswer(
            body: .members(["undone": .string(request), "changes": .integer(count)]))
    }

    static func changes(
        of request: String, _ draft: ControlDraft
    ) throws(ControlProblem) -> [ControlChange] {
        var changes: [ControlChange] = []
        while true {
            let last = changes.last?.sequence ?? 0
            let page = try draft.stored { store throws(ControlStoreError) in
                try store.changes(AuditFilter(requestID: request), after: last, limit: 5_000)
            }
            changes += page.map(\.change)
            if page.count < 5_000 { return changes }
        }
    }
}
