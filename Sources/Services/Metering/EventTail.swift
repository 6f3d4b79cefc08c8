import Foundation
package import MeteringPorts
import Synchronization

/// Keeps the newest records in a ring while somebody watches them; otherwise the pipeline pays one
/// atomic load a record.
package final class EventTail: EventTailing {
    private static let capacity = 2_000
    private static let payloadBytesMax = 16 * 1_024
    private static let watchNanoseconds: UInt64 = 15_000_000_000

    private struct State {
        var ring: [TailedEvent] = []
        /// Cursor after the newest record.
        var end: Int64 = 1
    }

    private let state = Mutex<State>(State())
    private let watchedUntil = Atomic<UInt64>(0)

    package init() {}

    package var isWatched: Bool {
        let until = watchedUntil.load(ordering: .relaxed)
        return until != 0 && DispatchTime.now().uptimeNanoseconds < until
    }

    func note(_ info: LogRecordInfo, _ value: RawSpan) {
        let kept = min(value.byteCount, Self.payloadBytesMax)
        let event = TailedEvent(info: info, payload: EventValues.bytes(value, kept))
        state.withLock { state in
            state.ring.append(event)
            state.end += 1
            if state.ring.count > Self.capacity {
                state.ring.removeFirst(state.ring.count - Self.capacity / 2)
            }
        }
    }

    package func events(
        after cursor: Int64, limit: Int
    ) -> (events: [TailedEvent], next: Int64) {
        watchedUntil.store(
            DispatchTime.now().uptimeNanoseconds + Self.watchNanoseconds, ordering: .relaxed)
        return state.withLock { state in
            let first = state.end - Int64(state.ring.count)
            if cursor <= 0 || cursor > state.end { return ([], state.end) }
            let start = max(cursor, first)
            let found = state.ring.dropFirst(Int(start - first)).prefix(max(0, limit))
            return (Array(found), start + Int64(found.count))
        }
    }
}
