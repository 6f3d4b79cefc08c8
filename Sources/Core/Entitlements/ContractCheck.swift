import MeteringModel

/// What is wrong with one contract by itself.
struct ContractCheck {
    let contract: CustomerContract
    let definitions: CompiledDefinitions
    let place: ContractPlace

    init(
        _ contract: CustomerContract, _ definitions: CompiledDefinitions, _ place: ContractPlace
    ) {
        self.contract = contract
        self.definitions = definitions
        self.place = place
    }

    func run(_ issues: inout CatalogIssues) {
        for (index, record) in contract.subscriptions.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            check(terms, &issues) { place.held(.subscription, index, record.id, $0) }
        }
        checkOverlaps(&issues)
        checkPrices(&issues)
        for (index, record) in contract.overrides.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            check(terms, &issues) { place.held(.override, index, record.id, $0) }
        }
        for (index, record) in contract.grants.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            check(terms, &issues) { place.held(.grant, index, record.id, $0) }
        }
        for (index, record) in contract.suspensions.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            let path = { place.held(.suspension, index, record.id, $0) }
            checkSpan(terms.start, terms.end, "end", &issues, path)
            if let product = terms.product { checkProduct(product, &issues, path) }
        }
        for (index, record) in contract.revocations.enumerated() {
            guard let terms = record.terms.steps.last?.value else { continue }
            let path = { place.held(.revocation, index, record.id, $0) }
            checkSpan(terms.start, terms.end, "end", &issues, path)
            checkProduct(terms.product, &issues, path)
        }
    }

    private typealias Path = ([String]) -> [String]

    private func checkSpan(
        _ start: Timestamp, _ end: Timestamp?, _ name: String, _ issues: inout CatalogIssues,
        _ path: Path
    ) {
        guard let end, end < start else { return }
        issues.add(path([name]), "the end must not be before the start")
    }

    private func checkProduct(
        _ key: ProductKey, _ issues: inout CatalogIssues, _ path: Path
    ) {
        if key == .default || definitions.product(key) != nil { return }
        let hint = NearestKey.hint(
            for: key.rawValue, in: definitions.catalog.products.map(\.key.rawValue))
        issues.add(path(["product"]), "there is no product \"\(key)\"\(hint)")
    }

    // MARK: subscriptions

    private func check(
        _ terms: SubscriptionTerms, _ issues: inout CatalogIssues, _ path: Path
    ) {
        if definitions.plan(terms.plan) == nil {
            let hint = NearestKey.hint(
                for: terms.plan.rawValue, in: definitions.catalog.plans.map(\.key.rawValue))
            issues.add(path(["plan"]), "there is no plan \"\(terms.plan)\"\(hint)")
        } else if definitions.plan(terms.plan, version: terms.planVersion) == nil {
            issues.add(
                path(["version"]), "plan \"\(terms.plan)\" has no version \(terms.planVersion)")
        }
        checkSpan(terms.start, terms.end, "end", &issues, path)
        checkSpan(terms.start, terms.trialEnd, "trial_end", &issues, path)
        for (index, addOn) in terms.addOns.enumerated() {
            let at = ["add_ons", String(index)]
            if definitions.addOn(addOn.key) == nil {
                let hint = NearestKey.hint(
                    for: addOn.key.rawValue, in: definitions.catalog.addOns.map(\.key.rawValue))
                issues.add(path(at + ["key"]), "there is no add-on \"\(addOn.key)\"\(hint)")
            }
            if addOn.quantity < 1 {
                issues.add(path(at + ["quantity"]), "a quantity must be at least 1")
            }
            checkSpan(addOn.start ?? terms.start, addOn.end, "end", &issues) { path(at + $0) }
        }
        for (feature, seats) in terms.seats.sorted(by: { $0.key < $1.key }) {
            let at = path(["seats", feature.rawValue])
            guard let definition = self.feature(feature, at, &issues) else { continue }
            if definition.type != .seat {
                issues.add(at, CatalogCompiler.mismatch(feature, definition.type))
            }
            if let count = seats.finite, count < 0 {
                issues.add(at, "seats must not be negative; no limit is `unlimited`")
            }
        }
    }

    private func feature(
        _ key: FeatureKey, _ path: @autoclosure () -> [String], _ issues: inout CatalogIssues
    ) -> FeatureDefinition? {
        if let known = definitions.feature(key) { return known }
        let hint = NearestKey.hint(
            for: key.rawValue, in: definitions.featureKeys.map(\.rawValue))
        issues.add(path(), "there is no feature \"\(key)\"\(hint)")
        return nil
    }

    /// A customer has at most one subscription of a product at a time.
    private func checkOverlaps(_ issues: inout CatalogIssues) {
        if contract.subscriptions.count < 2 { return }
        var reported: Set<String> = []
        for instant in CustomerTimeline.boundaries(of: contract) {
            var fold = ContractFold(contract: contract, instant: instant, definitions: definitions)
            fold.collectHoldings()
            let held = fold.holdings.filter(\.isInForce)
            for (one, other) in zip(held, held.dropFirst())
            where one.plan.product == other.plan.product && reported.insert(other.id).inserted {
                let index = contract.subscriptions.firstIndex { $0.id == other.id } ?? 0
                issues.add(
                    place.held(.subscription, index, other.id, ["start"]),
                    "the customer has subscription \"\(one.id)\" of product "
                        + "\"\(one.plan.product)\" at the same time")
            }
        }
    }

    // MARK: overrides and grants

    private func check(_ terms: OverrideTerms, _ issues: inout CatalogIssues, _ path: Path) {
        checkSpan(terms.start, terms.end, "end", &issues, path)
        guard let feature = feature(terms.feature, path(["feature"]), &issues) else { return }
        switch (feature.type, terms.value) {
        case (.boolean, .boolean), (.static, .value): break
        case (.seat, .seats(let seats)):
            if let count = seats.finite, count < 0 {
                issues.add(
                    path(["value", "seats"]),
                    "seats must not be negative; no limit is `unlimited`")
            }
        case (.metered, .metered(let change)): check(change, feature, &issues, path)
        default: issues.add(path(["value"]), CatalogCompiler.mismatch(terms.feature, feature.type))
        }
    }

    private func check(
        _ change: OverrideTerms.MeteredChange, _ feature: FeatureDefinition,
        _ issues: inout CatalogIssues, _ path: Path
    ) {
        guard let meter = feature.meter.flatMap({ definitions.meterIndex($0) }) else { return }
        let definition = definitions.meters[meter]
        if let limit = change.limit {
            if let units = limit.finite, units < 0 {
                issues.add(
                    path(["value", "limit"]),
                    "a limit must not be negative; no limit is `unlimited`")
            }
            if limit != .unlimited,
                let reason = CatalogCompiler.reasonAgainstLimit(definition.aggregation)
            {
                issues.add(
                    path(["value", "limit"]),
                    "meter \"\(definition.key)\" cannot be limited: \(reason)")
            }
        }
        for (index, threshold) in (change.thresholds ?? []).enumerated() {
            if let message = CatalogCompiler.problem(with: threshold) {
                issues.add(path(["value", "thresholds", String(index)]), message)
            }
        }
        if (change.thresholds ?? []).count > CatalogCompiler.thresholdsMax {
            issues.add(
                path(["value", "thresholds"]),
                "a quota has at most \(CatalogCompiler.thresholdsMax) thresholds")
        }
        if let units = change.grace?.units, units < 0 {
            issues.add(path(["value", "grace", "units"]), "units of grace must not be negative")
        }
        if let days = change.grace?.days, days < 0 {
            issues.add(path(["value", "grace", "days"]), "days of grace must not be negative")
        }
        if let units = change.overageMax, units < 0 {
            issues.add(path(["value", "overage_max"]), "an overage must not be negative")
        }
    }

    private func check(_ terms: GrantTerms, _ issues: inout CatalogIssues, _ path: Path) {
        checkSpan(terms.start, terms.expires, "expires", &issues, path)
        if terms.amount < 0 {
            issues.add(path(["amount"]), "an amount must not be negative")
        }
        if terms.rolloverMin < 0 {
            issues.add(path(["rollover", "min"]), "a rollover must not be negative")
        }
        if let most = terms.rolloverMax, terms.rolloverMin > most {
            issues.add(path(["rollover", "min"]), "min must not be above max")
        }
        guard let feature = feature(terms.feature, path(["feature"]), &issues) else { return }
        guard feature.type == .metered,
            let meter = feature.meter.flatMap({ definitions.meterIndex($0) })
        else {
            issues.add(path(["feature"]), "only metered features take grants")
            return
        }
        let definition = definitions.meters[meter]
        if let reason = CatalogCompiler.reasonAgainstLimit(definition.aggregation) {
            issues.add(
                path(["feature"]), "meter \"\(definition.key)\" cannot be limited: \(reason)")
        }
    }
}
