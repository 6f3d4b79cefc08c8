import MeteringPorts
import Rating

/// What was read already when a month is rated, and what its lines are for.
struct ReadAhead: Sendable {
    /// Nil: rows are read one by one.
    var usage: KnownUsage?
    /// The customer's contract, in whatever zone, or why it cannot be rated; nil: it is read.
    var account: Result<FeeAccount?, BillingError>?
    /// Whether lines get the documents that explain them: making these costs more than rating.
    var makesDocuments = true
}
