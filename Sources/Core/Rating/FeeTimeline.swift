import MeteringModel

/// What one subscription costs through all time: runs of the same terms, by slot.
struct FeeTimeline {
    private let held: CustomerContract.Held<SubscriptionTerms>
    private let account: FeeAccount

    private typealias State = (terms: FeeTerms, source: String)

    init(_ held: CustomerContract.Held<SubscriptionTerms>, _ account: FeeAccount) {
        self.held = held
        self.account = account
    }

    /// Ascending; neighbours differ. Slots in a fixed order.
    func runs() -> [(slot: FeeSlot, runs: [FeeRun])] {
        let starts = boundaries()
        var runs: [FeeSlot: [FeeRun]] = [:]
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : .distantFuture
            for (slot, state) in states(at: start) {
                var own = runs[slot] ?? []
                if let last = own.last, last.to == start, last.terms == state.terms {
                    own[own.count - 1].to = end
                } else {
                    own.append(
                        FeeRun(from: start, to: end, terms: state.terms, source: state.source))
                }
                runs[slot] = own
            }
        }
        return runs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    // MARK: instants

    /// Every instant at which something of what is due may begin or end; `distantPast` first.
    private func boundaries() -> [Timestamp] {
        var instants: Set<Timestamp> = [.distantPast]
        func add(_ instant: Timestamp?) {
            guard let instant, instant > .distantPast, instant < .distantFuture else { return }
            instants.insert(instant)
        }
        for step in account.contract.profile.steps { add(step.from) }
        for step in held.terms.steps {
            add(step.from)
            guard let terms = step.value else { continue }
            add(terms.start)
            add(terms.end)
            add(terms.trialEnd)
            for addOn in terms.addOns {
                add(addOn.start)
                add(addOn.end)
                for step in account.addOnFees[addOn.key]?.steps ?? [] { add(step.from) }
            }
        }
        for revocation in account.contract.revocations {
            for step in revocation.terms.steps {
                add(step.from)
                add(step.value?.start)
                add(step.value?.end)
            }
        }
        return instants.sorted()
    }

    // MARK: what is due at an instant

    private func states(at instant: Timestamp) -> [FeeSlot: State] {
        guard let profile = account.contract.profile.value(at: instant),
            profile.environment.isBillable, let terms = held.terms.value(at: instant),
            isPaid(terms, at: instant),
            let plan = account.plan(terms.plan, terms.planVersion)
        else { return [:] }
        let revoked = revokedProducts(at: instant)
        if revoked.contains(plan.product) { return [:] }
        var states: [FeeSlot: State] = [:]
        let cycle = FeeCycle(terms)
        let source = "plan \(plan.key) v\(plan.version)"
        if let currency = plan.currency {
            if let fee = plan.fee {
                let own = FeeTerms(
                    plan: plan.key, currency: currency, price: fee, quantity: 1,
                    cycle: cycle)
                states[.plan] = (own, source)
            }
            for (feature, own) in seats(plan, terms, currency, cycle) {
                states[.seats(feature)] = (own, source)
            }
        }
        for (key, own) in addOns(terms, cycle, at: instant) {
            if revoked.contains(account.addOnProducts[key] ?? plan.product) { continue }
            states[.addOn(key)] = (own, "add-on \(key)")
        }
        return states
    }

    /// Whether the subscription runs, past its trial.
    private func isPaid(_ terms: SubscriptionTerms, at instant: Timestamp) -> Bool {
        if instant < terms.start { return false }
        if let end = terms.end, end <= instant { return false }
        guard let trialEnd = terms.trialEnd else { return true }
        return terms.trialConverts && trialEnd <= instant
    }

    private func revokedProducts(at instant: Timestamp) -> Set<ProductKey> {
        var products: Set<ProductKey> = []
        for revocation in account.contract.revocations {
            guard let terms = revocation.terms.value(at: instant), terms.start <= instant,
                terms.end.map({ instant < $0 }) ?? true
            else { continue }
            products.insert(terms.product)
        }
        return products
    }

    private func seats(
        _ plan: PlanDefinition, _ terms: SubscriptionTerms, _ currency: Currency, _ cycle: FeeCycle
    ) -> [(FeatureKey, FeeTerms)] {
        plan.entitlements.compactMap { feature, entitlement in
            guard case .seats(let planned) = entitlement, let price = planned.price,
                let count = (terms.seats[feature] ?? planned.seats).finite,
                count > max(price.included, 0)
            else { return nil }
            return (
                feature,
                FeeTerms(
                    currency: currency, price: price,
                    quantity: count - max(price.included, 0), cycle: cycle)
            )
        }
    }

    private func addOns(
        _ terms: SubscriptionTerms, _ cycle: FeeCycle, at instant: Timestamp
    ) -> [(AddOnKey, FeeTerms)] {
        var quantities: [AddOnKey: Int64] = [:]
        for addOn in terms.addOns where addOn.quantity > 0 {
            guard addOn.start.map({ $0 <= instant }) ?? true,
                addOn.end.map({ instant < $0 }) ?? true
            else { continue }
            let held = quantities[addOn.key] ?? 0
            quantities[addOn.key] = held.addingSaturated(addOn.quantity)
        }
        return quantities.compactMap { key, quantity in
            guard let fee = account.addOnFees[key]?.value(at: instant) else { return nil }
            return (
                key,
                FeeTerms(
                    currency: fee.currency, price: fee.fee,
                    quantity: quantity, cycle: cycle)
            )
        }
    }
}
