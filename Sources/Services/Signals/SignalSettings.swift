/// From when on something is worth telling. Every number that a signal depends on has a name here.
package struct SignalSettings: Sendable, Hashable {
    // What is looked at.

    /// Days of usage that are looked back upon, today not counted: eight weeks.
    package var historyDays = 56
    /// Closed periods of each quota that are looked at.
    package var periodsBack = 3

    // Near limit.

    package var nearShareBasisPoints: Int64 = 8_000

    // Upsell.

    /// Periods with overage, of the last `periodsBack`.
    package var overagePeriodsMin = 2

    // Churn risk.

    /// What the last four weeks may lose to the four before, in percent.
    package var fallPercentMin: Int64 = 50
    package var deepFallPercentMin: Int64 = 80
    /// Days of use in the four weeks before, so that there is a habit to lose.
    package var habitDaysMin = 5
    /// Days without usage that count as silence.
    package var silenceDays = 14
    /// Share of the allowance that was used at most, in each closed period.
    package var lowUseBasisPoints: Int64 = 1_000

    // Leakage.

    /// Usage without entitlement is looked for in the last days, today with them.
    package var leakageDays = 7

    // Work.

    /// Customers that are computed before others have a turn.
    package var batchCountMax = 1_000
    /// Between sweeps, seconds.
    package var intervalSeconds: Int64 = 3_600
    /// A customer who uses nothing is looked at again after so long: silence is a signal too.
    package var idleSeconds: Int64 = 86_400
    /// Signals that are kept; beyond it those with the smallest score go.
    package var signalCountMax = 200_000
    package init() {}
}
