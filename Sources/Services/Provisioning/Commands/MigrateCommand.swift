import MeteringModel
import MeteringPorts

/// Moves subscriptions of a plan from the version that they are pinned to, to another.
enum MigrateCommand {
    private struct Request {
        var to: Int
        var from: Int?
        var customers: Set<String>?
        var owner: String?
        var metadata: [String: String]
    }

    static func run(
        _ plan: PlanKey, _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        guard try draft.document(.plan, plan.rawValue) != nil else {
            throw .notFound(.plan, plan.rawValue)
        }
        let request = try request(plan, body, draft)
        let chosen = try subscriptions(plan, request, draft)
        if !draft.context.isDryRun, draft.context.expectedCount != chosen.count {
            let expected = draft.context.expectedCount.map { "not \($0)" } ?? "which was not given"
            throw ControlProblem(
                .conflict, "count_mismatch",
                "\(chosen.count) subscriptions would be migrated, \(expected); look at them with "
                    + "dry_run=true and repeat with expected_count=\(chosen.count)",
                field: "expected_count")
        }
        for id in chosen {
            try draft.patch(.subscription, id, .object(["version": .integer(request.to)]))
        }
        return ControlAnswer(
            body: .members([
                "plan": .string(plan.rawValue), "to": .integer(request.to),
                "from": request.from.map { .integer($0) }, "count": .integer(chosen.count),
                "effective_at": .string(draft.effectiveAt.rfc3339()),
            ]))
    }

    private static func request(
        _ plan: PlanKey, _ body: JSONValue, _ draft: ControlDraft
    ) throws(ControlProblem) -> Request {
        try checkMembers(body, ["to", "from", "filter"], "")
        let filter = body["filter"] ?? .object([:])
        try checkMembers(filter, ["customers", "metadata", "owner"], "filter.")
        let to = try draft.requirePlan(plan, version: try version("to", body), field: "to").version
        let from = try version("from", body)
        if let from { _ = try draft.requirePlan(plan, version: from, field: "from") }
        var customers: Set<String>?
        if let listed = filter["customers"], !listed.isNull {
            let ids = (listed.elements ?? []).compactMap(\.text)
            guard let elements = listed.elements, ids.count == elements.count else {
                throw .invalid(
                    "invalid_type", "customers must be a list of ids", field: "filter.customers")
            }
            for (index, id) in ids.enumerated() {
                try draft.requireCustomer(
                    CustomerID(id), field: "filter.customers[\(index)]")
            }
            customers = Set(ids)
        }
        var metadata: [String: String] = [:]
        for (name, value) in filter["metadata"]?.object ?? [:] {
            guard let text = value.text else {
                throw .invalid(
                    "invalid_type", "metadata is compared with texts",
                    field: "filter.metadata.\(name)")
            }
            metadata[name] = text
        }
        return Request(
            to: to, from: from, customers: customers, owner: filter["owner"]?.text,
            metadata: metadata)
    }

    private static func checkMembers(
        _ value: JSONValue, _ known: [String], _ prefix: String
    ) throws(ControlProblem) {
        guard let members = value.object else {
            throw .invalid(
                "invalid_type", "must be an object",
                field: prefix.isEmpty ? nil : String(prefix.dropLast()))
        }
        for name in members.keys.sorted() where !known.contains(name) {
            throw .invalid(
                "unknown_member",
                "there is no \"\(name)\" here; there is \(known.joined(separator: ", "))",
                field: prefix + name)
        }
    }

    private static func version(
        _ name: String, _ body: JSONValue
    ) throws(ControlProblem) -> Int? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let number = value.integer, number > 0, let version = Int(exactly: number) else {
            throw .invalid("invalid_type", "\(name) must be a version's number", field: name)
        }
        return version
    }

    /// Ids of the subscriptions that are meant, as they are at the effective instant.
    private static func subscriptions(
        _ plan: PlanKey, _ request: Request, _ draft: ControlDraft
    ) throws(ControlProblem) -> [String] {
        var chosen: [String] = []
        var last: String?
        while true {
            let after = last
            let page = try draft.stored { store throws(ControlStoreError) in
                try store.subscriptions(plan: plan, version: nil, after: after, limit: 1_000)
            }
            for record in page {
                guard let document = record.document(at: draft.effectiveAt),
                    document["plan"]?.text == plan.rawValue,
                    let version = document["version"]?.integer, version != Int64(request.to),
                    request.from.map({ Int64($0) == version }) ?? true,
                    try isMeant(document["customer"]?.text ?? "", request, draft)
                else { continue }
                chosen.append(record.id)
            }
            last = page.last?.id
            if page.count < 1_000 { return chosen }
        }
    }

    private static func isMeant(
        _ customer: String, _ request: Request, _ draft: ControlDraft
    ) throws(ControlProblem) -> Bool {
        if let customers = request.customers, !customers.contains(customer) { return false }
        if request.owner == nil, request.metadata.isEmpty { return true }
        guard let profile = try draft.document(.customer, customer) else { return false }
        if let owner = request.owner, profile["owner"]?.text != owner { return false }
        return request.metadata.allSatisfy { profile["metadata"]?[$0.key]?.text == $0.value }
    }
}
