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
        if let own {
            let zone = own.zone == customer.zone.name ? customer.zone : zone(own.zone)
            let rules = zone ?? customer.zone
            return (
                MonthFrame(
                    month: month, zone: rules, period: own.period,
                    usage: month.period(zone: rules)), own
            )
        }
        var period = month.period(zone: customer.zone)
        let usage = period
        if let before, before.period.end < period.end { period.start = before.period.end }
        if let after, period.start < after.period.start { period.end = after.period.start }
        return (
            MonthFrame(month: month, zone: customer.zone, period: period, usage: usage), nil
        )
    }
}
