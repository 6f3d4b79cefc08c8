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
    let maker: StatementMaker
    let snapshot: CatalogSnapshot
    let customer: CompiledCustomer

    func mismatches(in frame: MonthFrame) throws(BillingError) -> [Mismatch] {
        try recurring(frame) + usage(frame)
    }

    // MARK: what recurs

    private func recurring(_ frame: MonthFrame) throws(BillingError) -> [Mismatch] {
        guard let account = try maker.fees.account(of: customer, snapshot, frame.zone) else {
            return []
        }
        let instant = Timestamp(microseconds: frame.period.end.microseconds - 1)
        let bought = FeesInForce(account: account, instant: instant)
        let paid = try paid(at: instant)
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
    private func paid(at instant: Timestamp) throws(BillingError) -> [Item: Int64] {
        let (store, id) = (sources.store, customer.id)
        return try BillingError.store { () throws(BillingStoreError) in
            var sums: [Item: Int64] = [:]
            func add(_ lines: [StatementLine]) {
                for line in lines where line.from <= instant && instant < line.to {
                    // One payment for all time is of no cycle.
                    if line.to == .distantFuture { continue }
                    guard let subscription = line.subscription, let item = line.item,
                        let kind = line.chargeKind
                    else { continue }
                    let key = Item(kind: kind, subscription: subscription, key: item)
                    sums[key, default: 0] = sums[key, default: 0].addingSaturated(line.quantity)
                }
            }
            var after: StatementPlace?
            while true {
                let page = try store.statements(
                    customer: id, month: nil, after: after, limit: 100)
                guard let last = page.last else { break }
                for statement in page { add(try store.lines(id, statement.month)) }
                after = last.place
            }
            add(try store.pendingLines(id))
            return sums
        }
    }

    // MARK: usage

    private func usage(_ frame: MonthFrame) throws(BillingError) -> [Mismatch] {
        let instant = Timestamp(microseconds: frame.usage.end.microseconds - 1)
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
            } else if let over = try overLimit(quota, frame, at: instant) {
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

    /// Usage over a soft limit that nobody pays for: the last period that ended in the month.
    private func overLimit(
        _ quota: Quota, _ frame: MonthFrame, at instant: Timestamp
    ) throws(BillingError) -> Mismatch? {
        guard quota.enforcement == .soft, quota.rule.unit != .lifetime else { return nil }
        var period = quota.rule.period(containing: instant, zone: frame.zone)
        if period.end > frame.usage.end {
            let before = Timestamp(microseconds: period.start.microseconds - 1)
            period = quota.rule.period(containing: before, zone: frame.zone)
        }
        guard frame.usage.start < period.end,
            let limit = sources.limits(snapshot)(
                quota, period, Timestamp(microseconds: period.end.microseconds - 1)
            ).finite
        else { return nil }
        let key = UsageKey(customer: customer.id, meter: quota.meter, period: period)
        let queries = sources.queries
        let used = try BillingError.ledger { () throws(LedgerError) in
            try queries.usage(key)?.state.reading(quota.aggregation) ?? 0
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

extension StatementLine {
    /// Of an adjustment, the kind of the charge that it adjusts.
    var chargeKind: Kind? {
        if kind != .adjustment { return kind }
        return document["charge"]?["kind"]?.text.flatMap(Kind.init(rawValue:))
    }
}
