/// A ledger that lets one of its states be read while commits go on.
package protocol LedgerSnapshots: LedgerQueries {
    /// A reader of its own, which holds no state yet.
    func makeSnapshot() throws(LedgerError) -> any LedgerSnapshot
}

/// Queries that agree with each other, whatever is committed meanwhile.
///
/// What is committed while a state is held has to be kept beside it: hold one for a reading, not
/// for a visit. Used by one thread at a time, and no query from inside of another one.
package protocol LedgerSnapshot: AnyObject, Sendable {
    /// As of the last `hold`; as of each query while nothing is held.
    var queries: any LedgerQueries { get }
    /// Lets go of the state held so far and holds the one of the last commit; takes microseconds.
    func hold() throws(LedgerError)
    func letGo()
}
