import MeteringPorts
import SQLClient

/// The journal thread's loop: take a group, make it durable, answer.
struct JournalCommitter {
    /// Records dropped per transaction, so that appends wait for at most that much.
    private static let dropStep: Int64 = 1_000

    let store: JournalStore
    let queue: JournalQueue
    let tail: JournalTail
    let groupBytesMax: Int

    func run() {
        loop: while true {
            switch queue.next(groupBytesMax: groupBytesMax) {
            case .commit(let group): commit(group)
            case .drop(let drop): dropStep(drop)
            case .stop: break loop
            }
        }
        store.close()
        queue.stopped()
    }

    private func commit(_ group: [JournalQueue.Append]) {
        let outcome: Result<Int64, EventLogError>
        do {
            outcome = .success(try store.append(group.map(\.records)))
            tail.advance(to: store.nextOffset)
        } catch {
            outcome = .failure(EventLogError(error, path: store.path))
        }
        // The room first: whoever is answered may append again at once.
        queue.finished(group)
        switch outcome {
        case .success(var first):
            for append in group {
                append.continuation.resume(returning: .success(first))
                first += Int64(append.records.count)
            }
        case .failure(let error):
            for append in group { append.continuation.resume(returning: .failure(error)) }
        }
    }

    private func dropStep(_ drop: JournalQueue.Drop) {
        do {
            if try store.dropRecords(before: drop.before, atMost: Self.dropStep) {
                drop.continuation.resume(returning: .success(()))
            } else {
                queue.putBack(drop)
            }
        } catch {
            drop.continuation.resume(returning: .failure(EventLogError(error, path: store.path)))
        }
    }
}
