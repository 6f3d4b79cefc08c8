import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// What a customer is entitled to at the end of a month, against what it pays for then.
struct EntitlementComparison {
    struct Mismatch {
        /// `not_billed`, `billed_without_entitlement`, `quantity_differs`,
        /// `over_limit_without_price`, `priced_at_two_levels`.
        var kind: String
        var members: [String: JSONValue]
    }

    /// Something that recurs: a plan's fee, seats of a feature, an add-on.
    private struct Item: Hashable {
        var kind: StatementLine.Kind
        var subscription: String
        var key: String
    }

    let sources: BillingSources
    let snapshot: CatalogSnapshot
    let customer: CompiledCustomer
    /// The customer's contract; nil: it never had a subscription.
    let account: FeeAccount?
    let history: BilledHistory
    let usage: KnownUsage

    func mismatches(in frame: MonthFrame) throws(BillingError) -> [Mismatch] {
        try recurring(frame) + usage(frame)
    }

    /// The usage rows that are compared, so that those of many customers can be read together.
    static func keys(_ customer: CompiledCustomer, in frame: MonthFrame) -> [UsageKey] {
        let segment = customer.segment(at: lastInstant(of: frame.usage))
        return (0..<segment.quotaCount).compactMap { position in
            guard segment.quotaEntitlement(position).price == nil else { return nil }
            let quota = segment.quota(position)
            return lastPeriod(of: quota, in: frame).map {
                UsageKey(customer: customer.id, meter: quota.meter, period: $0)
            }
        }
    }

    private static func lastInstant(of period: Period) -> Timestamp {
        Timestamp(microseconds: period.end.microseconds - 1)
    }

    // MARK: what recurs

    private func recurring(_ frame: MonthFrame) -> [Mismatch] {
        guard var account else { return [] }
        account.zone = frame.zone
        let instant = Self.lastInstant(of: frame.period)
        let bought = FeesInForce(account: account, instant: instant)
        let paid = paid(at: instant)
        var expected: [Item: Int64] = [:]
        var isPaidLater: Set<Item> = []
        var isFree: Set<Item> = []
        for fee in bought.all {
            let item = Item(kind: fee.kind, subscription: fee.subscription, key: fee.item)
            if fee.price.amount.isZero { isFree.insert(item) }
            expected[item, default: 0] += fee.quantity
            if fee.price.timing == .arrears { isPaidLater.insert(item) }
        }
        var found: [Mismatch] = []
        for item in Set(expected.keys).union(paid.keys).sorted(by: Self.isBefore) {
            let (wanted, given) = (expected[item] ?? 0, paid[item] ?? 0)
            // What is paid in arrears has no line before its cycle ends.
            if wanted == given || (isPaidLater.contains(item) && given == 0) { continue }
            // A price of 0 may have a line of 0, or none: neither is a mistake.
            if isFree.contains(item) { continue }
            let kind =
                given == 0
                ? "not_billed"
                : wanted == 0 ? "billed_without_entitlement" : "quantity_differs"
            found.append(
                Mismatch(
                    kind: kind,
                    members: [
                        "charge": .string(item.kind.rawValue),
                        "subscription": .string(item.subscription), "item": .string(item.key),
                        "entitled": .integer(wanted), "billed": .integer(given),
                        "at": LineDocument.time(instant),
                    ]))
        }
        return found
    }

    private static func isBefore(_ left: Item, _ right: Item) -> Bool {
        (left.subscription, left.kind.rawValue, left.key)
            < (right.subscription, right.kind.rawValue, right.key)
    }

    /// Quantities of all lines that an instant is charged in, on whichever statement they stand.
    private func paid(at instant: Timestamp) -> [Item: Int64] {
        var sums: [Item: Int64] = [:]
        func add(_ line: StatementLine) {
            // One payment for all time is of no cycle.
            guard line.from <= instant, instant < line.to, line.to != .distantFuture,
                let subscription = line.subscription, let item = line.item,
                let kind = line.chargeKind
            else { return }
            let key = Item(kind: kind, subscription: subscription, key: item)
            sums[key, default: 0] = sums[key, default: 0].addingSaturated(line.quantity)
        }
        for (_, line) in history.lines { add(line) }
        for line in history.pendingLines { add(line) }
        return sums
    }

    // MARK: usage

    private func usage(_ frame: MonthFrame) throws(BillingError) -> [Mismatch] {
        let instant = Self.lastInstant(of: frame.usage)
        let segment = customer.segment(at: instant)
        var found: [Mismatch] = []
        for position in 0..<segment.quotaCount {
            let entitlement = segment.quotaEntitlement(position)
            let quota = segment.quota(position)
            if entitlement.price != nil {
                if let above = pricedAncestor(entitlement.feature, at: instant) {
                    found.append(
                        Mismatch(
                            kind: "priced_at_two_levels",
                            members: [
                                "feature": .string(quota.feature.rawValue),
                                "also_priced_for": .string(above.rawValue),
                            ]))
                }
            } else if let over = try overLimit(quota, frame) {
                found.append(over)
            }
        }
        return found
    }

    private func pricedAncestor(_ feature: FeatureKey, at instant: Timestamp) -> CustomerID? {
        var found: CustomerID?
        snapshot.lineage(of: customer.number, at: instant) { ancestor, segment in
            if ancestor.number == customer.number || found != nil || !ancestor.isBilled { return }
            let isPriced = (0..<segment.quotaCount).contains { position in
                let entitlement = segment.quotaEntitlement(position)
                return entitlement.feature == feature && entitlement.price != nil
            }
            if isPriced { found = ancestor.id }
        }
        return found
    }

    /// Usage over a soft limit that nobody pays for.
    private func overLimit(
        _ quota: Quota, _ frame: MonthFrame
    ) throws(BillingError) -> Mismatch? {
        guard let period = Self.lastPeriod(of: quota, in: frame),
            let limit = sources.limits(snapshot)(quota, period, Self.lastInstant(of: period))
                .finite
        else { return nil }
        let key = UsageKey(customer: customer.id, meter: quota.meter, period: period)
        let used = try BillingError.ledger { () throws(LedgerError) in
            try usage.state(key).reading(quota.aggregation)
        }
        guard used > limit else { return nil }
        return Mismatch(
            kind: "over_limit_without_price",
            members: [
                "feature": .string(quota.feature.rawValue),
                "period": LineDocument.period(period),
                "used": RecordCodec.quantity(used, scale: quota.scale),
                "limit": RecordCodec.quantity(limit, scale: quota.scale),
            ])
    }
}

extension EntitlementComparison {
    /// The last period of a quota with a soft limit that ended in the month.
    private static func lastPeriod(of quota: Quota, in frame: MonthFrame) -> Period? {
        guard quota.enforcement == .soft, quota.rule.unit != .lifetime else { return nil }
        var period = quota.rule.period(containing: lastInstant(of: frame.usage), zone: frame.zone)
        if period.end > frame.usage.end {
            let before = Timestamp(microseconds: period.start.microseconds - 1)
            period = quota.rule.period(containing: before, zone: frame.zone)
        }
        return frame.usage.start < period.end ? period : nil
    }
}

extension StatementLine {
    /// Of an adjustment, the kind of the charge that it adjusts.
    var chargeKind: Kind? {
        if kind != .adjustment { return kind }
        return document["charge"]?["kind"]?.text.flatMap(Kind.init(rawValue:))
    }
}
