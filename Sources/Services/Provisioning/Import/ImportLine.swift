import Entitlements
import MeteringModel
import MeteringPorts

/// One customer of an import: our own document with what it bought, or an order as vendors send it.
struct ImportLine {
    enum Content {
        case order(VendorPayload)
        case document(JSONValue)
    }
    /// What a line did, or would do.
    enum Change: String {
        case create, change, unchanged
    }

    let customer: CustomerID
    let content: Content

    private static let lists = ["subscriptions", "overrides", "grants"]

    init(_ bytes: [UInt8], _ range: Range<Int>) throws(ControlProblem) {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONParser.parse(bytes, in: range)
        } catch {
            throw ControlProblem(
                .unprocessable, "invalid_json",
                "not JSON: \(error.message) at byte \(error.offset - range.lowerBound) of the line")
        }
        guard value.object != nil else {
            throw ControlProblem(
                .unprocessable, "not_an_object", "each line is one JSON object, a customer")
        }
        if VendorPayload.describes(value) {
            let order = try VendorPayload(value)
            customer = order.customer
            content = .order(order)
            return
        }
        guard let id = value["id"]?.text else {
            throw ControlProblem(
                .unprocessable, "missing",
                "the line names no customer: write \"id\" (or account_id, for an order)",
                field: "id")
        }
        customer = CustomerID(id)
        content = .document(value)
    }

    /// The parent that the line gives its customer; nil when it says nothing about it.
    var parent: String? {
        guard case .document(let document) = content else { return nil }
        return document["parent"]?.text
    }

    var subjects: [String] {
        guard case .document(let document) = content else { return [] }
        return (document["subjects"]?.elements ?? []).compactMap { $0.text ?? $0["id"]?.text }
    }

    var externalIDs: [String: String] {
        guard case .document(let document) = content else { return [:] }
        return document["external_ids"]?.object?.compactMapValues(\.text) ?? [:]
    }

    // MARK: carrying out

    /// Merges the line into the records; what it leaves out stays as it is.
    /// - Parameter leavesParent: rehearsals leave the parent out where it comes in the same file.
    func apply(
        to draft: inout ControlDraft, _ codec: CodecContext, leavesParent: Bool = false
    ) throws(ControlProblem) -> Change {
        let before = try draft.history(.customer, customer.rawValue)?.latest
        let countBefore = draft.changes.count
        switch content {
        case .order(let order): try OrderIntake.apply(order, to: &draft)
        case .document(let document):
            let plain = leavesParent ? document.setting(["parent": nil]) : document
            try apply(plain, before, to: &draft, codec)
        }
        if draft.changes.count == countBefore {
            let isMoved = leavesParent && parent != before?["parent"]?.text
            return isMoved ? .change : .unchanged
        }
        return before == nil ? .create : .change
    }

    private func apply(
        _ document: JSONValue, _ before: JSONValue?, to draft: inout ControlDraft,
        _ codec: CodecContext
    ) throws(ControlProblem) {
        var members = document.object ?? [:]
        let one = members.removeValue(forKey: "subscription")
        var lists: [String: [JSONValue]] = [:]
        for name in Self.lists {
            guard let value = members.removeValue(forKey: name), !value.isNull else { continue }
            guard let elements = value.elements else {
                throw ControlProblem(
                    .unprocessable, "invalid_type", "\(name) must be a list", field: name)
            }
            lists[name] = elements
        }
        try draft.putDocument(
            .customer, customer.rawValue, customer: customer,
            (before ?? .object([:])).merging(.object(members)), codec: codec)
        var codec = codec
        if let zone = (members["time_zone"] ?? before?["time_zone"])?.text {
            codec.zone = draft.zone(zone) ?? .utc
        }
        if let one, !one.isNull { try putSubscription(one, "subscription", &draft, codec) }
        for (index, value) in (lists["subscriptions"] ?? []).enumerated() {
            try putSubscription(value, "subscriptions[\(index)]", &draft, codec)
        }
        for (kind, name) in [(RecordKind.override, "overrides"), (.grant, "grants")] {
            for (index, value) in (lists[name] ?? []).enumerated() {
                try put(kind, value, "\(name)[\(index)]", &draft, codec)
            }
        }
    }

    private func putSubscription(
        _ value: JSONValue, _ field: String, _ draft: inout ControlDraft, _ codec: CodecContext
    ) throws(ControlProblem) {
        let named = PlanKey(value["plan"]?.text ?? "")
        let id: String
        if let given = value["id"]?.text {
            id = given
        } else {
            let plan = try draft.requirePlan(named, field: "\(field).plan")
            id = "\(customer):\(plan.product)"
        }
        let before = try draft.document(.subscription, id)
        var document = (before ?? .object([:])).merging(value).setting([
            "id": .string(id), "customer": .string(customer.rawValue),
        ])
        let version = value["version"]?.integer.map { Int($0) }
        let key = PlanKey(document["plan"]?.text ?? "")
        let isOther = before?["plan"] != document["plan"]
        if !key.rawValue.isEmpty, isOther || version != nil {
            let plan = try draft.requirePlan(key, version: version, field: "\(field).plan")
            document = document.setting(["version": .integer(plan.version)])
        }
        for (index, addOn) in (document["add_ons"]?.elements ?? []).enumerated() {
            guard let key = addOn.text ?? addOn["key"]?.text else { continue }
            _ = try draft.requireAddOn(AddOnKey(key), field: "\(field).add_ons[\(index)]")
        }
        try draft.putDocument(
            .subscription, id, customer: customer, document, codec: codec, field: field)
    }

    private func put(
        _ kind: RecordKind, _ value: JSONValue, _ field: String, _ draft: inout ControlDraft,
        _ codec: CodecContext
    ) throws(ControlProblem) {
        // Without an id of its own the feature names it: the same line again is the same record.
        let id = value["id"]?.text ?? "\(customer):\(value["feature"]?.text ?? "")"
        let before = try draft.document(kind, id)
        var document = (before ?? .object([:])).merging(value).setting([
            "id": .string(id), "customer": .string(customer.rawValue),
        ])
        if document["reason"] == nil {
            document = document.setting(["reason": .string(draft.context.reason ?? "imported")])
        }
        if let given = value["value"] {
            // A value is one thing, not members to merge with those of another.
            document = document.setting(["value": given])
        }
        try draft.putDocument(kind, id, customer: customer, document, codec: codec, field: field)
    }
}
