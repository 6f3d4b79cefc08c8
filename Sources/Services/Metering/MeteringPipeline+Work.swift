import Synchronization

/// Work of others on the pipeline's thread.
extension MeteringPipeline {
    /// Runs `body` on the pipeline's thread, between commits, with everything read committed.
    package func betweenCommits<Answer: Sendable>(
        _ body: @escaping @Sendable () -> Answer
    ) async -> Answer {
        await onThread { pipeline in
            pipeline.flushAll()
            return body()
        }
    }

    /// The same without a commit: ledger and counters agree, and what has been read since the last
    /// one is in neither. For what must not disturb the rhythm of commits.
    func betweenPolls<Answer: Sendable>(
        _ body: @escaping @Sendable () -> Answer
    ) async -> Answer {
        await onThread { _ in body() }
    }

    private func onThread<Answer: Sendable>(
        _ body: @escaping @Sendable (MeteringPipeline) -> Answer
    ) async -> Answer {
        await withCheckedContinuation { (done: CheckedContinuation<Answer, Never>) in
            work.withLock { $0.append { pipeline in done.resume(returning: body(pipeline)) } }
        }
    }

    /// Called on the pipeline's thread.
    func runWork() {
        let items = work.withLock { queue in
            let items = queue
            queue = []
            return items
        }
        for item in items { item(self) }
    }
}
