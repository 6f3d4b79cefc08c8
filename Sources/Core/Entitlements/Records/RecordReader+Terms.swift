import MeteringModel

extension RecordReader {
    mutating func override(_ document: JSONValue) -> Recorded<OverrideTerms>? {
        guard var members = open(document, "an override") else { return nil }
        let owner = owner(in: &members)
        let feature = FeatureKey(requiredText("feature", in: &members) ?? "")
        let definition = check(feature, is: nil, at: "feature")
        let value = required("value", in: &members).flatMap { value in
            within("value") { $0.overrideValue(value, of: feature, definition) }
        }
        let binding = binding(in: &members)
        let start = start(in: &members)
        let end = end("end", in: &members, after: start)
        let priority = integer(
            "priority", in: &members, -1_000_000...1_000_000, default: 0)
        let reason = reason(in: &members)
        close(
            members,
            known: Owner.members + [
                "feature", "value", "domains", "regions", "start", "end", "priority", "reason",
            ])
        return Recorded(
            owner,
            OverrideTerms(
                feature: feature, value: value ?? .boolean(false), binding: binding, start: start,
                end: end, priority: priority, reason: reason))
    }

    private mutating func overrideValue(
        _ value: JSONValue, of key: FeatureKey, _ feature: FeatureDefinition?
    ) -> OverrideTerms.Value? {
        let type = feature?.type ?? Self.shape(of: value)
        let what = Self.what(key, type)
        switch type {
        case .boolean: return flag(value, what, at: nil).map { .boolean($0) }
        case .static: return text(value, what, at: nil).map { .value($0) }
        case .metered: return meteredChange(value, what, key).map { .metered($0) }
        case .seat:
            guard case .object = value else {
                return limit(value, "seats", scale: 0, at: nil).map { .seats($0) }
            }
            guard var members = open(value, what) else { return nil }
            let seats = required("seats", in: &members).flatMap {
                limit($0, "seats", scale: 0, at: "seats")
            }
            close(members, known: ["seats"])
            return seats.map { .seats($0) }
        }
    }

    private mutating func meteredChange(
        _ value: JSONValue, _ what: String, _ key: FeatureKey
    ) -> OverrideTerms.MeteredChange? {
        guard var members = open(value, what) else { return nil }
        let scale = context.scale(of: key)
        var change = OverrideTerms.MeteredChange()
        if let limit = members.take("limit") {
            change.limit = self.limit(limit, "limit", scale: scale, at: "limit")
        }
        if let period = members.take("period") {
            change.period = choice(period, PeriodUnit.self, "period", at: "period")
        }
        if let anchor = members.take("anchor") {
            change.anchor = choice(anchor, MeteredEntitlement.Anchor.self, "anchor", at: "anchor")
        }
        let hasThresholds = members.has("thresholds")
        let thresholds = list("thresholds", in: &members) { $0.threshold($1, scale: scale) }
        // An empty list takes the plan's thresholds away; none at all leaves them.
        if hasThresholds { change.thresholds = thresholds }
        if let mode = members.take("enforcement") {
            change.enforcement = choice(
                mode, EnforcementMode.self, "enforcement", at: "enforcement")
        }
        if let policy = members.take("on_outage") {
            change.onOutage = outagePolicy(policy, scale: scale, at: "on_outage")
        }
        change.grace = grace(in: &members, scale: scale)
        change.overageMax = amount("overage_max", in: &members, scale: scale)
        let known = Self.meteredMembers.filter { $0 != "durability" }
        close(members, known: known)
        if members.values.values.allSatisfy(\.isNull) {
            report(
                nil, .missing,
                "\(what) changes nothing; it may have "
                    + known.joined(separator: ", "))
        }
        return change
    }

    mutating func grant(_ document: JSONValue) -> Recorded<GrantTerms>? {
        guard var members = open(document, "a grant") else { return nil }
        let owner = owner(in: &members)
        let feature = FeatureKey(requiredText("feature", in: &members) ?? "")
        check(feature, is: .metered, at: "feature")
        let scale = context.scale(of: feature)
        let amount =
            members.has("amount")
            ? self.amount("amount", in: &members, scale: scale)
            : required("amount", in: &members).flatMap(\.integer)
        let priority = integer(
            "priority", in: &members, -1_000_000...1_000_000, default: 0)
        let start = start(in: &members)
        var terms = GrantTerms(
            feature: feature, amount: amount ?? 0, priority: priority, start: start, reason: "")
        terms.expires = end("expires", in: &members, after: start)
        if let rollover = members.take("rollover") {
            within("rollover") { $0.readRollover(rollover, into: &terms, scale: scale) }
        }
        terms.reason = reason(in: &members)
        close(
            members,
            known: Owner.members + [
                "feature", "amount", "priority", "start", "expires", "rollover", "reason",
            ])
        return Recorded(owner, terms)
    }

    private mutating func readRollover(
        _ value: JSONValue, into terms: inout GrantTerms, scale: Int
    ) {
        guard var members = open(value, "rollover") else { return }
        terms.rolloverMin = amount("min", in: &members, scale: scale) ?? 0
        terms.rolloverMax = amount("max", in: &members, scale: scale)
        if let most = terms.rolloverMax, most < terms.rolloverMin {
            report("min", .invalidValue, "min must not be above max")
        }
        close(members, known: ["min", "max"])
    }

    mutating func suspension(_ document: JSONValue) -> Recorded<SuspensionTerms>? {
        guard var members = open(document, "a suspension") else { return nil }
        let owner = owner(in: &members)
        let product = text("product", in: &members).map { ProductKey($0) }
        let start = start(in: &members)
        let end = end("end", in: &members, after: start)
        let reason = reason(in: &members)
        close(members, known: Owner.members + ["product", "start", "end", "reason"])
        return Recorded(
            owner, SuspensionTerms(product: product, start: start, end: end, reason: reason))
    }

    mutating func revocation(_ document: JSONValue) -> Recorded<RevocationTerms>? {
        guard var members = open(document, "a revocation") else { return nil }
        let owner = owner(in: &members)
        let product = ProductKey(requiredText("product", in: &members) ?? "")
        let start = start(in: &members)
        let end = end("end", in: &members, after: start)
        let reason = reason(in: &members)
        close(members, known: Owner.members + ["product", "start", "end", "reason"])
        return Recorded(
            owner, RevocationTerms(product: product, start: start, end: end, reason: reason))
    }

    mutating func seat(_ document: JSONValue) -> SeatRecord? {
        guard var members = open(document, "a seat") else { return nil }
        let customer = requiredText("customer", in: &members)
        let feature = requiredText("feature", in: &members)
        let holder = requiredText("holder", in: &members)
        let at = required("assigned_at", in: &members).flatMap {
            time($0, .start, at: "assigned_at")
        }
        close(members, known: ["customer", "feature", "holder", "assigned_at"])
        return SeatRecord(
            customer: CustomerID(customer ?? ""), feature: FeatureKey(feature ?? ""),
            holder: holder ?? "", assignedAt: at ?? .distantPast)
    }
}
