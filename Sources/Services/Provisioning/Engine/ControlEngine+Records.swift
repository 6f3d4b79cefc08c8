package import MeteringModel
package import MeteringPorts

extension ControlEngine: RecordKeeping {
    package nonisolated func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        try await run(context, digest: digest) { (draft) throws(ControlProblem) in
            try draft.requireMatch(kind, id)
            let before = try draft.document(kind, id)
            let (document, answer) = try body(before)
            if let document {
                try draft.put(kind, id, customer: customer, document)
            } else if before != nil {
                try draft.delete(kind, id)
            }
            return answer
        }
    }

    package nonisolated func history(
        _ kind: RecordKind, _ id: String
    ) throws(ControlProblem) -> RecordHistory? {
        do throws(ControlStoreError) {
            return try store.record(kind, id)
        } catch {
            throw .store(error)
        }
    }

    package nonisolated func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] {
        var found: [RecordHistory] = []
        do throws(ControlStoreError) {
            while true {
                let page = try store.records(
                    kind, customer: customer, after: found.last?.id, limit: 1_000)
                found += page
                if page.count < 1_000 { break }
            }
        } catch {
            throw .store(error)
        }
        return found.filter { $0.latest != nil }
    }
}
