import Entitlements
import MeteringModel
import MeteringPorts

/// What is particular to each kind of record when it is written: ids, defaults, what must not
/// change. What records refer to is checked when the whole is compiled.
enum RecordRules {
    /// The member that names a record of the kind.
    static func idMember(_ kind: RecordKind) -> String {
        switch kind {
        case .product, .meter, .feature, .plan, .addOn: "key"
        case .integration, .customer, .subscription, .override, .grant, .suspension, .revocation,
            .seat, .credential, .alertEndpoint, .signal, .correction:
            "id"
        }
    }

    /// The id of a record that is to be made: the one that the body names, or one of ours.
    static func id(
        _ kind: RecordKind, _ body: JSONValue, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> String {
        let member = idMember(kind)
        if let given = body[member], !given.isNull {
            guard let id = given.text else {
                throw .invalid("invalid_type", "\(member) must be a text", field: member)
            }
            if let message = RecordCodec.problem(ofID: id) {
                throw .invalid("invalid_id", "\(member) \(message)", field: member)
            }
            return id
        }
        switch kind {
        case .subscription:
            let customer = body["customer"]?.text ?? ""
            let plan = try draft.requirePlan(PlanKey(body["plan"]?.text ?? ""), field: "plan")
            return "\(customer):\(plan.product)"
        case .override: return try freeID(kind, "ov", &draft)
        case .grant: return try freeID(kind, "gr", &draft)
        case .suspension: return try freeID(kind, "su", &draft)
        case .revocation: return try freeID(kind, "rv", &draft)
        case .integration: return "stripe"
        case .product, .meter, .feature, .plan, .addOn, .customer, .seat, .credential,
            .alertEndpoint, .signal, .correction:
            throw .invalid("missing", "\(kind.oneWord) needs \"\(member)\"", field: member)
        }
    }

    /// An id of ours that no record has: a caller may send the same request id twice.
    private static func freeID(
        _ kind: RecordKind, _ prefix: String, _ draft: inout ControlDraft
    ) throws(ControlProblem) -> String {
        while true {
            let id = draft.makeID(prefix)
            if try draft.history(kind, id) == nil { return id }
        }
    }

    /// The customer that a body's record belongs to, which must be there; nil for kinds that belong
    /// to none.
    static func owner(
        _ kind: RecordKind, _ body: JSONValue, _ draft: ControlDraft
    ) throws(ControlProblem) -> CustomerID? {
        guard kind.isContract, kind != .customer else { return nil }
        guard let given = body["customer"], !given.isNull else {
            throw .invalid(
                "missing", "\(kind.oneWord) needs \"customer\"", field: "customer")
        }
        guard let id = given.text else {
            throw .invalid("invalid_type", "customer must be a text", field: "customer")
        }
        try draft.requireCustomer(CustomerID(id), field: "customer")
        return CustomerID(id)
    }

    /// The document that is stored of what a user sent, whole.
    ///
    /// - Parameter before: the record as it is at that instant; nil when it is new.
    static func stored(
        _ kind: RecordKind, _ id: String, _ body: JSONValue, before: JSONValue?,
        customer: CustomerID?, _ draft: ControlDraft
    ) throws(ControlProblem) -> JSONValue {
        var body = body.setting(kind == .integration ? ["id": nil] : [idMember(kind): .string(id)])
        if kind.needsReason, body["reason"]?.isNull ?? true {
            body = body.setting(["reason": draft.context.reason.map(JSONValue.string)])
        }
        if kind == .subscription {
            body = body.setting(["version": try pinnedVersion(body, before: before, draft)])
        }
        let zone = try customer.map { (id) throws(ControlProblem) in try draft.zoneRules(of: id) }
        let document = try draft.normalized(kind, body, draft.codec(zone: zone ?? .utc))
        if let before { try checkFixed(kind, from: before, to: document) }
        if kind == .integration { try checkPrices(document, draft) }
        return document
    }

    /// What Stripe's prices stand for must be there: nothing else looks at it before a webhook.
    private static func checkPrices(
        _ document: JSONValue, _ draft: ControlDraft
    ) throws(ControlProblem) {
        for (price, target) in document["prices"]?.object ?? [:] {
            let field = "prices.\(price)"
            if let plan = target["plan"]?.text {
                _ = try draft.requirePlan(PlanKey(plan), field: "\(field).plan")
            }
            if let addOn = target["add_on"]?.text {
                _ = try draft.requireAddOn(AddOnKey(addOn), field: "\(field).add_on")
            }
            if let seats = target["seats"]?.text {
                _ = try draft.requireFeature(FeatureKey(seats), field: "\(field).seats")
            }
        }
    }

    /// A subscription keeps the version that it was made with until it is given another, or
    /// another plan.
    private static func pinnedVersion(
        _ body: JSONValue, before: JSONValue?, _ draft: ControlDraft
    ) throws(ControlProblem) -> JSONValue? {
        guard let plan = body["plan"]?.text else { return body["version"] }
        if let asked = body["version"], !asked.isNull {
            guard let number = asked.integer, let version = Int(exactly: number) else {
                return asked
            }
            let found = try draft.requirePlan(PlanKey(plan), version: version, field: "version")
            return .integer(found.version)
        }
        if before?["plan"]?.text == plan, let kept = before?["version"] { return kept }
        return .integer(try draft.requirePlan(PlanKey(plan), field: "plan").version)
    }

    /// Members that say what a record is do not change.
    private static func checkFixed(
        _ kind: RecordKind, from before: JSONValue, to after: JSONValue
    ) throws(ControlProblem) {
        let fixed: [String]
        switch kind {
        case .subscription, .seat: fixed = ["customer"]
        case .override, .grant: fixed = ["customer", "feature"]
        case .suspension: fixed = ["customer"]
        case .revocation: fixed = ["customer", "product"]
        case .meter: return try checkMeter(from: before, to: after)
        case .feature: fixed = ["type"]
        case .product, .plan, .addOn, .integration, .customer, .credential, .alertEndpoint, .signal,
            .correction:
            fixed = []
        }
        for name in fixed where before[name] != after[name] {
            throw .invalid(
                "immutable",
                "the \(name) of \(kind.oneWord) cannot change; make another one instead",
                field: name)
        }
    }

    /// Usage on record was counted with these.
    private static func checkMeter(
        from before: JSONValue, to after: JSONValue
    ) throws(ControlProblem) {
        for name in ["aggregation", "scale"] where before[name] != after[name] {
            throw ControlProblem(
                .conflict, "in_use",
                "the \(name) of meter \"\(after["key"]?.text ?? "")\" cannot change, because usage "
                    + "may have been counted with it; give the changed meter a new key",
                field: name)
        }
    }
}

extension RecordKind {
    /// Whether a record of the kind says why it was made.
    var needsReason: Bool {
        switch self {
        case .override, .grant, .suspension, .revocation: true
        case .product, .meter, .feature, .plan, .addOn, .integration, .customer, .subscription,
            .seat, .credential, .alertEndpoint, .signal, .correction:
            false
        }
    }
}
