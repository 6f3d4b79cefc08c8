import Entitlements
import MeteringModel
import MeteringPorts
import QuotaEngine

extension QuotaGate {
    enum Resolved {
        case settled(Decision)
        case metered(QuotaPath)
    }

    /// Finds the quotas, or the answer where no quota is needed.
    /// - Parameters:
    ///   - instant: nil: now.
    ///   - ignoresBinding: for answers that are not about a use at one place.
    func resolve(
        _ question: EntitlementQuestion, at instant: Timestamp? = nil, ignoresBinding: Bool = false
    ) throws(GateError) -> Resolved {
        var snapshot = board.catalog.load()
        let now = instant ?? clock.now()
        guard let number = number(of: question, &snapshot),
            !snapshot.customer(number).isRemoved
        else { return unknownCustomer(question, snapshot, now) }
        let segment = snapshot.customer(number).segment(at: now)
        guard let feature = snapshot.definitions.featureNumber(question.feature) else {
            return settled(.unknownFeature, Context(snapshot, question, now, segment))
        }
        guard let entitlement = snapshot.entitlement(of: number, featureNumber: feature, at: now)
        else {
            var context = Context(snapshot, question, now, segment)
            if !segment.absenceSources.isEmpty {
                context.source = segment.absenceSources.joined(separator: " + ")
            }
            return settled(segment.absence, context)
        }
        // The way of most questions.
        if segment.parent < 0, ignoresBinding || entitlement.binding == nil,
            case .metered = entitlement.value,
            let path = QuotaPath(snapshot, segment, feature, at: now)
        {
            return .metered(path)
        }
        var context = Context(snapshot, question, now, segment)
        context.source = entitlement.source
        if case .denied(let reason) = entitlement.value { return settled(reason, context) }
        if let binding = entitlement.binding, !ignoresBinding,
            let refusal = BindingRule.refusal(
                binding, domain: question.domain, region: question.region)
        {
            context.source = "\(entitlement.source); \(refusal)"
            return settled(.notEntitled, context)
        }
        if segment.parent >= 0, let suspended = suspendedAbove(context, segment, feature) {
            return suspended
        }
        return try resolve(entitlement, feature, context, segment)
    }

    /// The customer that a question is about, or its twin for the environment named.
    private func number(
        of question: EntitlementQuestion, _ snapshot: inout CatalogSnapshot
    ) -> Int? {
        switch question.party {
        case .customer(let id):
            let own = snapshot.customerIndex(id)
            guard let own, question.environment != .production else { return own }
            return twin(of: own, question.environment, &snapshot)
        case .subject(let subject): return snapshot.customerIndex(ofSubject: subject)
        }
    }

    private func unknownCustomer(
        _ question: EntitlementQuestion, _ snapshot: CatalogSnapshot, _ now: Timestamp
    ) -> Resolved {
        var context = Context(snapshot, question, now, nil)
        if case .customer(let id) = question.party, snapshot.customerIndex(id) != nil,
            question.environment != .production
        {
            context.source =
                "nothing is counted for environment \(question.environment.rawValue)"
        }
        return settled(.unknownCustomer, context)
    }

    private func twin(
        of number: Int, _ environment: Environment, _ snapshot: inout CatalogSnapshot
    ) -> Int? {
        if let known = snapshot.customerIndex(number, environment: environment) { return known }
        guard let next = makeTwin?(number, environment) else { return nil }
        snapshot = next
        return next.customerIndex(number, environment: environment)
    }

    /// A suspended ancestor holds up its whole tree. What it lacks or has no more does not: its
    /// descendants have contracts of their own.
    private func suspendedAbove(
        _ context: Context, _ segment: EntitlementSegment, _ feature: Int
    ) -> Resolved? {
        var found: (ancestor: CustomerID, source: String)?
        let asked = segment.customer.number
        context.snapshot.lineage(of: asked, at: context.now) { ancestor, segment in
            guard found == nil, ancestor.number != asked else { return }
            if let own = segment.own(feature: feature) {
                if case .denied(.suspended) = own.value { found = (ancestor.id, own.source) }
            } else if segment.absence == .suspended {
                found = (ancestor.id, segment.absenceSources.joined(separator: " + "))
            }
        }
        guard let found else { return nil }
        var context = context
        context.source = found.source
        guard case .settled(var decision) = settled(.suspended, context) else { return nil }
        decision.limitingCustomer = found.ancestor
        return .settled(decision)
    }

    private func resolve(
        _ entitlement: CompiledEntitlement, _ feature: Int, _ context: Context,
        _ segment: EntitlementSegment
    ) throws(GateError) -> Resolved {
        let (snapshot, question) = (context.snapshot, context.question)
        let owner = segment.customer
        switch entitlement.value {
        case .denied(let reason): return settled(reason, context)
        case .boolean(let isOn): return settled(isOn ? .ok : .notEntitled, context, allowed: isOn)
        case .value(let value): return settled(.ok, context, allowed: true, value: value)
        case .seats(let terms):
            let holder = snapshot.customer(entitlement.holder).id
            let quantity = try units(question.quantity, scale: 0)
            var decision = QuotaRules.decideSeats(
                customer: owner.id, feature: question.feature, seats: terms.seats,
                taken: seats?.seatsTaken(holder, question.feature, at: context.now) ?? 0,
                quantity: quantity, source: entitlement.source)
            if holder != owner.id { decision.limitingCustomer = holder }
            complete(&decision, context)
            return .settled(decision)
        case .metered:
            guard let path = QuotaPath(snapshot, segment, feature, at: context.now) else {
                return settled(.notEntitled, context)
            }
            return .metered(path)
        }
    }

    /// What is known of a question that is answered without a quota.
    private struct Context {
        var snapshot: CatalogSnapshot
        var question: EntitlementQuestion
        var now: Timestamp
        /// Nil: there is no such customer.
        var segment: EntitlementSegment?
        var source: String?

        init(
            _ snapshot: CatalogSnapshot, _ question: EntitlementQuestion, _ now: Timestamp,
            _ segment: EntitlementSegment?
        ) {
            self.snapshot = snapshot
            self.question = question
            self.now = now
            self.segment = segment
        }

        var customer: CustomerID {
            if let segment { return segment.customer.id }
            switch question.party {
            case .customer(let id): return id
            case .subject(let subject): return CustomerID(subject.rawValue)
            }
        }
    }

    private func settled(
        _ reason: DecisionReason, _ context: Context, allowed: Bool = false, value: String? = nil
    ) -> Resolved {
        let question = context.question
        let plan = context.segment.flatMap { segment in
            segment.plan.map { "plan \($0) v\(segment.planVersion)" }
        }
        var decision = Decision(
            isAllowed: allowed, reason: reason, customer: context.customer,
            feature: question.feature,
            quantity: question.quantity.exponent == 0 ? question.quantity.mantissa : 0,
            limitSource: context.source ?? plan, value: value)
        complete(&decision, context)
        return .settled(decision)
    }

    private func complete(_ decision: inout Decision, _ context: Context) {
        decision.decidedAt = context.now
        decision.revision = context.snapshot.revision
        decision.usageCompleteTo = completeTo()
        decision.timeZone = context.segment?.customer.zone.name ?? "UTC"
        if decision.reason != .ok {
            decision.upgradeHint = context.segment.flatMap {
                context.snapshot.upgradeHint(
                    of: $0.customer.number, context.question.feature, at: context.now)
            }
        }
    }

    // MARK: metered

    /// The decision about `quantity` more, charging nothing: the tightest level decides.
    func decide(_ path: QuotaPath, _ quantity: Int64) throws(LedgerError) -> Decision {
        var decision = try decide(path.first, quantity)
        for level in path.above {
            let other = try decide(level, quantity)
            if Self.isTighter(other, decision) { decision = other }
        }
        complete(&decision, path)
        return decision
    }

    private func decide(
        _ level: CounterBoard.Located, _ quantity: Int64
    ) throws(LedgerError) -> Decision {
        let reading = try board.reading(level)
        var level = level
        if reading.limit != level.quota.limit { level.quota.limit = reading.limit }
        return QuotaRules.decide(
            quota: level.quota, reading: reading.used, held: reading.held, quantity: quantity,
            period: reading.period, limitReachedAt: reading.limitReachedAt, decidedAt: level.now)
    }

    /// As `decide`, at another instant than now: with what the ledger has of the period.
    func decideFromLedger(_ path: QuotaPath) throws(LedgerError) -> Decision {
        var decision: Decision?
        for level in path.levels {
            let period = level.quota.rule.period(containing: path.now, zone: level.owner.zone)
            let row = UsageKey(
                customer: level.quota.customer, meter: level.quota.meter, period: period)
            let used = try queries.usage(row)?.state.reading(level.quota.aggregation) ?? 0
            let resolved = try board.limits.resolve(level.quota, period, at: path.now)
            var quota = level.quota
            quota.limit = resolved.limit
            let reachedAt = try board.limitReachedAt(
                quota, period, used: used, since: max(level.segment.start, resolved.from))
            let other = QuotaRules.decide(
                quota: quota, reading: used, held: 0, quantity: 0, period: period,
                limitReachedAt: reachedAt, decidedAt: path.now)
            if let known = decision, !Self.isTighter(other, known) { continue }
            decision = other
        }
        guard var result = decision else { return try decide(path, 0) }
        complete(&result, path)
        return result
    }

    /// Of levels that refuse, the lowest stands.
    static func isTighter(_ left: Decision, _ right: Decision) -> Bool {
        if !right.isAllowed { return false }
        return !left.isAllowed || left.remaining < right.remaining
    }

    /// A level's decision as the answer about the customer that was asked.
    func complete(_ decision: inout Decision, _ path: QuotaPath) {
        if decision.customer != path.owner.id {
            decision.limitingCustomer = decision.customer
            decision.customer = path.owner.id
        }
        decision.decidedAt = path.now
        decision.revision = path.snapshot.revision
        decision.usageCompleteTo = completeTo()
        decision.timeZone = path.owner.zone.name
        if decision.reason != .ok {
            decision.upgradeHint = path.snapshot.upgradeHint(
                of: path.owner.number, decision.feature, at: path.now)
        }
        if shared?.isDegraded == true { decision.mode = .stale }
    }

    // MARK: quantities

    func units(_ quantity: DecimalQuantity, scale: Int) throws(GateError) -> Int64 {
        let units: Int64
        do throws(DecimalQuantity.Failure) {
            units = try quantity.units(scale: scale)
        } catch {
            throw GateError(
                code: .invalidQuantity,
                message: "quantity: \(error); the meter keeps \(scale) decimal places")
        }
        if units < 0 {
            throw GateError(code: .invalidQuantity, message: "quantity is below zero")
        }
        return units
    }

    /// As `units`, for what is about to be charged.
    func chargeableUnits(
        _ quantity: DecimalQuantity, _ quota: Quota
    ) throws(GateError) -> Int64 {
        let units = try units(quantity, scale: quota.scale)
        if units <= Self.quantityMax { return units }
        // More than a quota allows at all is a plain denial.
        if quota.grants.isEmpty,
            let stop = QuotaRules.stop(of: quota, limitReachedAt: nil, at: nil), stop < units
        {
            return units
        }
        throw Self.tooMuch
    }

    static let tooMuch = GateError(
        code: .invalidQuantity,
        message: "quantity is beyond 2^53 of the meter's smallest units")

    /// Seats are not used up by asking for them.
    func requireCountable(_ decision: Decision) throws(GateError) {
        guard decision.isAllowed,
            board.catalog.load().feature(decision.feature)?.type == .seat
        else { return }
        throw GateError(
            code: .invalidRequest,
            message: "feature \(decision.feature) is seats: assign them by "
                + "/v1/customers/{id}/seats/\(decision.feature)")
    }

    func requireAdmission(_ quota: Quota) throws(GateError) {
        if quota.counting == .admission { return }
        throw GateError(
            code: .invalidRequest,
            message: "feature \(quota.feature) is counted by events: ask /v1/check, and let its "
                + "usage arrive as events; or set `counting: admission` in the catalog")
    }
}
