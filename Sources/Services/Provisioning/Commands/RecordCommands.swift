import MeteringModel
import MeteringPorts

/// The four commands that every kind of record has.
enum RecordCommands {
    static func create(
        _ kind: RecordKind, _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        try requireNow(kind, draft)
        let customer = try RecordRules.owner(kind, body, draft)
        let id = try RecordRules.id(kind, body, &draft)
        if try draft.history(kind, id)?.latest != nil {
            throw ControlProblem(
                .conflict, "already_exists",
                "there is \(kind.oneWord) \"\(id)\" already; change it with PUT or PATCH",
                field: RecordRules.idMember(kind))
        }
        try draft.requireMatch(kind, id)
        return try put(kind, id, body, before: nil, customer, &draft)
    }

    static func put(
        _ kind: RecordKind, _ id: String, _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        try requireNow(kind, draft)
        try draft.requireMatch(kind, id)
        try checkName(kind, id, body)
        let before = try draft.document(kind, id)
        var body = body
        if before != nil, body["customer"] == nil, kind.isContract, kind != .customer {
            body = body.setting(["customer": before?["customer"]])
        }
        let customer = try RecordRules.owner(kind, body, draft)
        return try put(kind, id, body, before: before, customer, &draft)
    }

    static func patch(
        _ kind: RecordKind, _ id: String, _ patch: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        try requireNow(kind, draft)
        try draft.requireMatch(kind, id)
        try checkName(kind, id, patch)
        guard let before = try draft.document(kind, id) else { throw .notFound(kind, id) }
        var whole = kind == .plan ? RecordView.plan(before) : before
        // The version on record is one of the plan before.
        if kind == .subscription, patch["plan"] != nil { whole = whole.setting(["version": nil]) }
        let body = whole.merging(patch)
        let customer = try RecordRules.owner(kind, body, draft)
        return try put(kind, id, body, before: before, customer, &draft)
    }

    static func delete(
        _ kind: RecordKind, _ id: String, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        try requireNow(kind, draft)
        try draft.requireMatch(kind, id)
        let instant = kind.isCatalog ? draft.now : draft.effectiveAt
        guard try draft.document(kind, id) != nil else { throw .notFound(kind, id) }
        if let use = try draft.use(of: kind, id, at: instant) {
            throw ControlProblem(
                .conflict, "in_use",
                "\(kind.words) \"\(id)\" is used by \(use); change or end that first")
        }
        try draft.delete(kind, id)
        return ControlAnswer(
            body: .members([
                RecordRules.idMember(kind): .string(id), "kind": .string(kind.rawValue),
                "deleted_at": .string(instant.rfc3339()),
            ]))
    }

    // MARK: parts

    /// Definitions cannot be dated: a caller who thinks so must not be left in the belief.
    private static func requireNow(
        _ kind: RecordKind, _ draft: ControlDraft
    ) throws(ControlProblem) {
        guard kind.isCatalog, draft.effectiveAt != draft.now else { return }
        throw .definitionsChangeAtOnce(kind)
    }

    private static func put(
        _ kind: RecordKind, _ id: String, _ body: JSONValue, before: JSONValue?,
        _ customer: CustomerID?, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        if kind == .plan {
            try draft.putPlan(PlanKey(id), body)
        } else {
            let document = try RecordRules.stored(
                kind, id, body, before: before, customer: customer, draft)
            try draft.put(kind, id, customer: customer, document)
        }
        return try draft.answer(kind, id, isNew: before == nil)
    }

    /// A body may repeat the id of the path, not contradict it.
    private static func checkName(
        _ kind: RecordKind, _ id: String, _ body: JSONValue
    ) throws(ControlProblem) {
        let member = RecordRules.idMember(kind)
        guard let given = body[member], given.text != id else { return }
        throw .invalid(
            "id_mismatch", "\(member) is not \"\(id)\", as the path says", field: member)
    }
}
