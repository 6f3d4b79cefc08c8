import MeteringModel

/// Money of one contract: one currency at a time, and only periods that can be billed.
extension ContractCheck {
    func checkPrices(_ issues: inout CatalogIssues) {
        for (index, record) in contract.subscriptions.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            checkAddOnCurrencies(terms, &issues) {
                place.held(.subscription, index, record.id, $0)
            }
        }
        checkCurrencies(&issues)
        for (index, record) in contract.overrides.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            checkPricedPeriod(terms, &issues) { place.held(.override, index, record.id, $0) }
        }
    }

    /// An add-on is billed with the plan that it is held with.
    private func checkAddOnCurrencies(
        _ terms: SubscriptionTerms, _ issues: inout CatalogIssues, _ path: ([String]) -> [String]
    ) {
        let plan = definitions.plan(terms.plan, version: terms.planVersion)
        var known = plan?.currency.map { (currency: $0, of: "plan \"\(terms.plan)\"") }
        for (index, held) in terms.addOns.enumerated() {
            guard let addOn = definitions.addOn(held.key), addOn.fee != nil,
                let currency = addOn.currency
            else { continue }
            if let known, known.currency != currency {
                issues.add(
                    path(["add_ons", String(index), "key"]),
                    "add-on \"\(held.key)\" is priced in \(currency), \(known.of) in "
                        + "\(known.currency); what is billed together has one currency")
            }
            known = known ?? (currency, "add-on \"\(held.key)\"")
        }
    }

    /// Subscriptions that run at the same time are on one statement.
    private func checkCurrencies(_ issues: inout CatalogIssues) {
        if contract.subscriptions.count < 2 { return }
        let all = contract.subscriptions.flatMap(\.terms.steps).compactMap {
            $0.value.flatMap { currency(of: $0) }
        }
        if Set(all).count < 2 { return }
        var reported: Set<String> = []
        for instant in CustomerTimeline.boundaries(of: contract) {
            var fold = ContractFold(contract: contract, instant: instant, definitions: definitions)
            fold.collectHoldings()
            var first: (id: String, currency: Currency)?
            for held in fold.holdings where held.isInForce {
                guard let currency = currency(of: held.terms) else { continue }
                guard let first else {
                    first = (held.id, currency)
                    continue
                }
                if first.currency == currency || !reported.insert(held.id).inserted { continue }
                let index = contract.subscriptions.firstIndex { $0.id == held.id } ?? 0
                issues.add(
                    place.held(.subscription, index, held.id, ["plan"]),
                    "priced in \(currency), while subscription \"\(first.id)\" at the same time "
                        + "is in \(first.currency); a customer is billed in one currency")
            }
        }
    }

    private func currency(of terms: SubscriptionTerms) -> Currency? {
        let plan = definitions.plan(terms.plan, version: terms.planVersion)
        if let currency = plan?.currency { return currency }
        return terms.addOns.lazy.compactMap { held in
            definitions.addOn(held.key).flatMap { $0.fee == nil ? nil : $0.currency }
        }.first
    }

    /// An override may not give a feature with a price a period that no statement can bill.
    private func checkPricedPeriod(
        _ terms: OverrideTerms, _ issues: inout CatalogIssues, _ path: ([String]) -> [String]
    ) {
        guard case .metered(let change) = terms.value, let period = change.period,
            let problem = CatalogCompiler.problem(withPricedPeriod: period)
        else { return }
        for record in contract.subscriptions {
            guard let held = record.terms.steps.last?.value,
                let plan = definitions.plan(held.plan, version: held.planVersion),
                case .metered(let metered) = plan.entitlements[terms.feature],
                metered.price != nil
            else { continue }
            issues.add(
                path(["value", "period"]),
                "plan \"\(plan.key)\" has a price for \"\(terms.feature)\", and \(problem)")
            return
        }
    }
}
