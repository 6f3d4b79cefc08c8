import MeteringPorts

/// Writes outcomes down, those that come while a commit is under way together in the next one: a
/// commit waits for the disk, and many endpoints deliver at a time.
actor OutcomeRecorder {
    private struct Entry {
        var outcome: AttemptOutcome
        var finished: CheckedContinuation<LedgerError?, Never>
    }

    private let store: any AlertStore
    /// At most one an endpoint in flight.
    private var entries: [Entry] = []
    private var isCommitting = false

    init(store: any AlertStore) { self.store = store }

    /// Returns once it is durable.
    func record(_ outcome: AttemptOutcome) async throws(LedgerError) {
        let failure = await withCheckedContinuation { continuation in
            entries.append(Entry(outcome: outcome, finished: continuation))
            if !isCommitting {
                isCommitting = true
                Task { await self.commit() }
            }
        }
        if let failure { throw failure }
    }

    private func commit() async {
        while !entries.isEmpty {
            let batch = entries
            entries = []
            var failure: LedgerError?
            do throws(LedgerError) {
                try store.record(batch.map(\.outcome))
            } catch {
                failure = error
            }
            for entry in batch { entry.finished.resume(returning: failure) }
            // Lets those in whose requests ended meanwhile.
            await Task.yield()
        }
        isCommitting = false
    }
}
