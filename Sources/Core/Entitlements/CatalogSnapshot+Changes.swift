import MeteringModel

extension CatalogSnapshot {
    /// Numbers of the customers that have something else than in an earlier snapshot, also where all
    /// were compiled anew because definitions changed: most changes of definitions (another plan, a
    /// new version of one) leave most customers with what they had. Ascending.
    public func customersChanged(since old: CatalogSnapshot) -> [Int] {
        var shapes = ShapePairs()
        return (0..<customerCount).filter { number in
            let next = customers[number]
            if number >= old.customerCount { return !next.isRemoved }
            let past = old.customers[number]
            return next !== past && !next.hasSame(as: past, &shapes)
        }
    }
}

extension CompiledCustomer {
    fileprivate func hasSame(as other: CompiledCustomer, _ shapes: inout ShapePairs) -> Bool {
        if isRemoved || other.isRemoved { return isRemoved == other.isRemoved }
        guard zone.name == other.zone.name, environment == other.environment,
            hasEnded == other.hasEnded, base == other.base, stepCount == other.stepCount,
            subjects == other.subjects
        else { return false }
        return (0..<stepCount).allSatisfy { index in
            let (left, right) = (step(index), other.step(index))
            return left.start == right.start && left.parent == right.parent
                && left.inherits == right.inherits && left.isPresent == right.isPresent
                && left.firstAnchor == right.firstAnchor
                && left.otherAnchors == right.otherAnchors
                && shapes.areSame(left.shape, right.shape)
        }
    }
}

/// Which shapes say the same. Millions of customers share a few, so each pair is compared once.
private struct ShapePairs {
    private struct Pair: Hashable {
        var left: ObjectIdentifier
        var right: ObjectIdentifier
    }
    private var known: [Pair: Bool] = [:]

    /// The snapshots keep the shapes, and so their identities, alive meanwhile.
    mutating func areSame(_ left: EntitlementShape, _ right: EntitlementShape) -> Bool {
        if left === right { return true }
        let pair = Pair(left: ObjectIdentifier(left), right: ObjectIdentifier(right))
        if let known = known[pair] { return known }
        let isSame = left.givesSame(as: right)
        known[pair] = isSame
        return isSame
    }
}

extension EntitlementShape {
    /// Feature and meter numbers, and what else is on offer, may differ.
    fileprivate func givesSame(as other: EntitlementShape) -> Bool {
        plan == other.plan && planVersion == other.planVersion && absence == other.absence
            && absenceSources == other.absenceSources
            && entitlements.count == other.entitlements.count
            && entitlements.indices.allSatisfy { index in
                let (left, right) = (entitlements[index], other.entitlements[index])
                return left.feature == right.feature && left.value == right.value
                    && left.denial == right.denial && left.binding == right.binding
                    && left.sources == right.sources && left.product == right.product
            }
    }
}
