public import MeteringModel

/// Folds a contract at an instant: subscriptions, add-ons and seats, then overrides, grants,
/// suspensions and revocations. A pure function, which the order of records does not change.
///
/// Nothing makes a limit unlimited but the case `.unlimited` itself, written in a plan, an add-on,
/// a subscription's seats or an override: what is absent, mistyped or unknown gives nothing.
public enum EntitlementFold {
    public static func effective(
        _ contract: CustomerContract, at instant: Timestamp, _ definitions: CompiledDefinitions
    ) -> EffectiveState {
        var fold = ContractFold(contract: contract, instant: instant, definitions: definitions)
        return fold.run()
    }
}

/// One fold in progress.
struct ContractFold {
    /// A subscription as it stands at the instant.
    struct Holding {
        var id: String
        var terms: SubscriptionTerms
        var plan: PlanDefinition
        var isTrial = false
        /// Nil: in force.
        var endedAt: Timestamp?
        var isInForce: Bool { endedAt == nil }
    }

    let contract: CustomerContract
    let instant: Timestamp
    let definitions: CompiledDefinitions
    /// In force first, then by product and id.
    var holdings: [Holding] = []
    var anchors: [Timestamp] = []
    /// Products that are revoked or suspended.
    var withheld: [ProductKey] = []
    /// Features that only suspended products give.
    var suspended: Set<FeatureKey> = []
    var entitlements: [FeatureEntitlement] = []

    init(contract: CustomerContract, instant: Timestamp, definitions: CompiledDefinitions) {
        self.contract = contract
        self.instant = instant
        self.definitions = definitions
    }

    mutating func run() -> EffectiveState {
        let profile = contract.profile.value(at: instant)
        guard let profile else { return state(.nothing, nil) }
        collectHoldings()
        let revocations = inForce(contract.revocations, from: \.start, to: \.end)
        let suspensions = inForce(contract.suspensions, from: \.start, to: \.end)
        let overrides = inForce(contract.overrides, from: \.start, to: \.end)
        let grants = inForce(contract.grants, from: \.start, to: \.expires)
        withheld = suspensions.compactMap(\.terms.product) + revocations.map(\.terms.product)
        let base = shape(of: holdings.filter { !$0.isInForce || isGiven($0) })
        if revocations.isEmpty, suspensions.isEmpty, overrides.isEmpty, grants.isEmpty {
            return state(base, profile)
        }
        entitlements = base.entitlements
        addRevoked(revocations)
        addSuspended(suspensions, revoked: revocations.map(\.terms.product))
        apply(overrides)
        attach(grants)
        suspend(suspensions)
        let absence = absence(base, revocations, suspensions)
        let shape = EntitlementShape(
            plan: base.plan, planVersion: base.planVersion, entitlements: entitlements,
            absence: absence.reason, absenceSources: absence.sources,
            upgrades: definitions.upgrades, like: base)
        return state(shape == base ? base : shape, profile)
    }

    /// In force, and not taken away or suspended.
    func isGiven(_ holding: Holding) -> Bool {
        holding.isInForce && !withheld.contains(holding.plan.product)
    }

    /// Why what nobody names is denied.
    private func absence(
        _ base: EntitlementShape, _ revocations: [InForce<RevocationTerms>],
        _ suspensions: [InForce<SuspensionTerms>]
    ) -> (reason: DecisionReason, sources: [String]) {
        let whole = suspensions.filter { $0.terms.product == nil }
        if !whole.isEmpty { return (.suspended, whole.map { $0.terms.source($0.id) }) }
        if !holdings.contains(where: { isGiven($0) }) {
            if let suspension = suspensions.first(where: { givesProduct($0.terms.product) }) {
                return (.suspended, [suspension.terms.source(suspension.id)])
            }
            if let revocation = revocations.first(where: { givesProduct($0.terms.product) }) {
                return (.notEntitled, [revocation.terms.source(revocation.id)])
            }
        }
        return (base.absence, base.absenceSources)
    }

    private func givesProduct(_ product: ProductKey?) -> Bool {
        holdings.contains { $0.isInForce && $0.plan.product == product }
    }

    private func state(_ shape: EntitlementShape, _ profile: CustomerProfile?) -> EffectiveState {
        EffectiveState(
            customer: contract.id, isPresent: profile != nil, shape: shape, anchors: anchors,
            parent: profile?.parent, inherits: profile?.inherits ?? false)
    }

    // MARK: what is in force

    struct InForce<Terms> {
        var id: String
        var terms: Terms
    }

    /// Records in force at the instant, sorted by id.
    func inForce<Terms: Hashable & Sendable>(
        _ records: [CustomerContract.Held<Terms>], from start: KeyPath<Terms, Timestamp>,
        to end: KeyPath<Terms, Timestamp?>
    ) -> [InForce<Terms>] {
        if records.isEmpty { return [] }
        var found: [InForce<Terms>] = []
        for record in records {
            guard let terms = record.terms.value(at: instant), terms[keyPath: start] <= instant,
                terms[keyPath: end].map({ instant < $0 }) ?? true
            else { continue }
            found.append(InForce(id: record.id, terms: terms))
        }
        return found.sorted { $0.id < $1.id }
    }

    mutating func collectHoldings() {
        for record in contract.subscriptions {
            if let holding = holding(record) { holdings.append(holding) }
        }
        holdings.sort {
            if $0.isInForce != $1.isInForce { return $0.isInForce }
            return ($0.plan.product, $0.id) < ($1.plan.product, $1.id)
        }
    }

    private func holding(_ record: CustomerContract.Held<SubscriptionTerms>) -> Holding? {
        var last: SubscriptionTerms?
        var deletedAt: Timestamp?
        for step in record.terms.steps {
            if step.from > instant { break }
            if let terms = step.value {
                last = terms
                deletedAt = nil
            } else if deletedAt == nil {
                deletedAt = step.from
            }
        }
        guard let terms = last, terms.start <= instant,
            let plan = definitions.plan(terms.plan, version: terms.planVersion)
        else { return nil }
        if let deletedAt, deletedAt <= terms.start { return nil }
        var ends = [deletedAt, terms.end].compactMap { $0 }
        if let trialEnd = terms.trialEnd, !terms.trialConverts { ends.append(trialEnd) }
        return Holding(
            id: record.id, terms: terms, plan: plan,
            isTrial: terms.trialEnd.map { instant < $0 || !terms.trialConverts } ?? false,
            endedAt: ends.min().flatMap { $0 <= instant ? $0 : nil })
    }

    // MARK: the shape of subscriptions

    /// The shape of what the given subscriptions give together. Fills `anchors`.
    private mutating func shape(of given: [Holding]) -> EntitlementShape {
        var key = ShapeKey(parts: [])
        let products = Set(holdings.filter(\.isInForce).map(\.plan.product))
        for holding in given {
            if !holding.isInForce, products.contains(holding.plan.product) { continue }
            key.parts.append(part(holding))
        }
        let definitions = definitions
        return definitions.shapes.shape(key) { BaseFold(key, definitions).shape() }
    }

    mutating func part(
        _ holding: Holding, isSuspended: Bool = false
    ) -> ShapeKey.Part {
        var quantities: [AddOnKey: Int64] = [:]
        for addOn in holding.terms.addOns where holding.isInForce {
            guard let definition = definitions.addOn(addOn.key), addOn.quantity > 0,
                isSuspended || !withheld.contains(definition.product),
                addOn.start.map({ $0 <= instant }) ?? true, addOn.end.map({ instant < $0 }) ?? true
            else { continue }
            let held = quantities[addOn.key] ?? 0
            quantities[addOn.key] = held.addingSaturated(addOn.quantity)
        }
        return ShapeKey.Part(
            plan: holding.plan.key, version: holding.plan.version, isTrial: holding.isTrial,
            hasEnded: !holding.isInForce,
            anchor: holding.isInForce ? place(of: holding.terms.anchor ?? holding.terms.start) : 0,
            addOns: quantities.map { .init(key: $0.key, quantity: $0.value) }
                .sorted { $0.key < $1.key },
            seats: holding.isInForce ? holding.terms.seats : [:])
    }

    mutating func place(of anchor: Timestamp) -> Int {
        if let known = anchors.firstIndex(of: anchor) { return known }
        anchors.append(anchor)
        return anchors.count - 1
    }
}

extension EntitlementShape {
    /// Of a customer that is not there.
    static let nothing = EntitlementShape(
        plan: nil, planVersion: 0, entitlements: [], absence: .notEntitled, absenceSources: [],
        upgrades: UpgradePaths([]))
}

extension SuspensionTerms {
    func source(_ id: String) -> String { "suspension \(id) (\(reason))" }
}

extension RevocationTerms {
    func source(_ id: String) -> String { "revocation \(id) (\(reason))" }
}
