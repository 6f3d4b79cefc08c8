import Entitlements
import MeteringModel
import MeteringPorts

/// Which time a customer's month is.
struct MonthFrame: Sendable {
    var month: BillingMonth
    var zone: TimeZoneRules
    /// The month as the statement has it. It begins where the month before ended, and ends where
    /// the month after begins, also when the customer has moved to another zone meanwhile, so that
    /// every fee is due in one month.
    var period: Period
    /// The month in its own zone: usage periods end at midnights of the zone.
    var usage: Period
    /// Where a neighbouring month is billed in another zone.
    var seamBefore: MonthSeam?
    var seamAfter: MonthSeam?

    /// What `(start, end]` of the month's usage holds, and `[start, end)` of its fees, is due.
    func hasEnded(by instant: Timestamp) -> Bool { period.end <= instant }
}

extension BillingSources {
    /// The time of a customer's month. A closed month stays in the zone that it was closed in.
    func frame(
        of customer: CompiledCustomer, _ month: BillingMonth
    ) throws(BillingError) -> (frame: MonthFrame, closed: ClosedStatement?) {
        let store = store
        let (own, before, after) = try BillingError.store { () throws(BillingStoreError) in
            (
                try store.statement(customer.id, month),
                try store.statement(customer.id, month.previous),
                try store.statement(customer.id, month.next)
            )
        }
        let rules = own.map { self.rules($0, of: customer) } ?? customer.zone
        let usage = month.period(zone: rules)
        var frame = MonthFrame(month: month, zone: rules, period: usage, usage: usage)
        if let own {
            frame.period = own.period
        } else {
            if let before, before.period.end < usage.end { frame.period.start = before.period.end }
            if let after, frame.period.start < after.period.start {
                frame.period.end = after.period.start
            }
        }
        if let before, before.zone != rules.name {
            frame.seamBefore = MonthSeam(
                at: before.period.end, month.previous,
                earlier: self.rules(before, of: customer), later: rules)
        }
        if let after, after.zone != rules.name {
            frame.seamAfter = MonthSeam(
                at: after.period.start, month, earlier: rules,
                later: self.rules(after, of: customer))
        }
        return (frame, own)
    }

    /// Of the zone that a statement was closed in.
    private func rules(
        _ statement: ClosedStatement, of customer: CompiledCustomer
    ) -> TimeZoneRules {
        statement.zone == customer.zone.name
            ? customer.zone : zone(statement.zone) ?? customer.zone
    }
}
