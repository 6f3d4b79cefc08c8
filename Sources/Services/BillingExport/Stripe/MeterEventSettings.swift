package import MeteringModel

/// Bounds and times of the sending to Stripe.
package struct MeterEventSettings: Sendable {
    /// Usage of windows before it is not told.
    package var from: Timestamp
    /// Late events of a window are waited for so long before it is told.
    package var settleSeconds: Int64 = 900
    /// A call whose outcome is unknown is repeated for so long: Stripe tells repetitions for 24 h.
    package var repeatSecondsMax: Int64 = 23 * 3_600
    /// Stripe takes events of the last 35 days; an hour of it is for clocks and waiting.
    package var ageSecondsMax: Int64 = 35 * 86_400 - 3_600
    /// Calls under way at a time; there is one at most per customer and meter.
    package var callsMax = 16
    /// Events looked at in one round of sending.
    package var roundEventsMax = 1_000
    /// Customers whose names at Stripe are read at a time; the more, the more of those who are
    /// read together are neighbours in the ledger.
    package var pageCustomersMax = 5_000
    /// Customers whose usage is read together, before others have a turn.
    package var readCustomersMax = 128
    /// Should a process end within a call, the event is due again so long after the call began.
    package var callSecondsMax: Int64 = 60
    /// The longest stop after answers that are about all events, e.g. a wrong key.
    package var pauseSecondsMax: Int64 = 300
    package init(from: Timestamp) { self.from = from }
}
