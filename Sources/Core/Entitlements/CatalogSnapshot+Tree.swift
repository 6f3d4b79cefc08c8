public import MeteringModel

extension CatalogSnapshot {
    /// Levels of a tree of customers, the root included.
    public static let levelsMax = 8

    /// The topmost ancestor at an instant; the customer itself when it has no parent. Allocates
    /// nothing.
    public func root(of number: Int, at instant: Timestamp) -> Int {
        var current = number
        for _ in 1..<Self.levelsMax {
            let parent = customers[current].segment(at: instant).parent
            if parent < 0 { break }
            current = parent
        }
        return current
    }

    /// What a customer has of a feature at an instant: its own, or the nearest ancestor's when it
    /// inherits. Nil when neither has any (`absence` says why). Ancestors are looked up as they are
    /// in this snapshot, so a change of one needs nothing done to its descendants. Allocates
    /// nothing.
    public func entitlement(
        of number: Int, _ feature: FeatureKey, at instant: Timestamp
    ) -> CompiledEntitlement? {
        guard let featureNumber = definitions.featureNumber(feature) else { return nil }
        return entitlement(of: number, featureNumber: featureNumber, at: instant)
    }

    /// - Parameter featureNumber: `definitions.featureNumber`; good for these definitions.
    public func entitlement(
        of number: Int, featureNumber: Int, at instant: Timestamp
    ) -> CompiledEntitlement? {
        var current = number
        var expired: CompiledEntitlement?
        for _ in 0..<Self.levelsMax {
            let segment = customers[current].segment(at: instant)
            if let own = segment.own(feature: featureNumber) {
                // What has run out is not there any more, so an ancestor's takes its place.
                guard case .denied(.expired) = own.value else { return own }
                if expired == nil { expired = own }
            }
            let isCut = segment.absence == .suspended || !segment.inherits || segment.parent < 0
            if isCut { break }
            current = segment.parent
        }
        return expired
    }

    /// Why a feature that nobody gives (`entitlement` is nil) is denied. Allocates nothing.
    public func absence(of number: Int, at instant: Timestamp) -> DecisionReason {
        var current = number
        var found = DecisionReason.notEntitled
        for _ in 0..<Self.levelsMax {
            let segment = customers[current].segment(at: instant)
            if segment.absence == .suspended { return .suspended }
            if segment.absence == .expired, found == .notEntitled { found = .expired }
            if !segment.inherits || segment.parent < 0 { break }
            current = segment.parent
        }
        return found
    }

    /// Every quota that a charge to a customer's feature must go to: its own, then its ancestors'.
    /// Suspended ones take part. Allocates nothing.
    public func levels(
        of number: Int, feature: FeatureKey, at instant: Timestamp,
        _ body: (CompiledCustomer, EntitlementSegment, Int) -> Void
    ) {
        guard let featureNumber = definitions.featureNumber(feature) else { return }
        levels(of: number, featureNumber: featureNumber, at: instant, body)
    }

    public func levels(
        of number: Int, featureNumber: Int, at instant: Timestamp,
        _ body: (CompiledCustomer, EntitlementSegment, Int) -> Void
    ) {
        var current = number
        for _ in 0..<Self.levelsMax {
            let segment = customers[current].segment(at: instant)
            if let quota = segment.quotaPosition(ofFeature: featureNumber) {
                body(segment.customer, segment, quota)
            }
            if segment.parent < 0 { return }
            current = segment.parent
        }
    }

    /// The customer and its ancestors at an instant, nearest first. Allocates nothing.
    public func lineage(
        of number: Int, at instant: Timestamp,
        _ body: (CompiledCustomer, EntitlementSegment) -> Void
    ) {
        var current = number
        for _ in 0..<Self.levelsMax {
            let segment = customers[current].segment(at: instant)
            body(segment.customer, segment)
            if segment.parent < 0 { return }
            current = segment.parent
        }
    }

    /// The plan that gives the next larger amount of a feature than the customer has now, by itself
    /// or from an ancestor. Nil when there is none.
    public func upgradeHint(
        of number: Int, _ feature: FeatureKey, at instant: Timestamp
    ) -> String? {
        let holder = entitlement(of: number, feature, at: instant)?.holder ?? number
        return customers[holder].segment(at: instant).upgradeHint(feature)
    }
}
