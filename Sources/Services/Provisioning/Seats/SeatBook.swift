package import MeteringModel
package import MeteringPorts
import Synchronization

/// How many seats are taken, in memory: named ones by their records, concurrent ones by sessions
/// that run out.
///
/// A pool of seats belongs to the customer that bought them; those who inherit the feature share
/// it.
package final class SeatBook: SeatCounting {
    package struct Pool: Hashable, Sendable {
        package var customer: CustomerID
        package var feature: FeatureKey
        package init(_ customer: CustomerID, _ feature: FeatureKey) {
            self.customer = customer
            self.feature = feature
        }
    }

    package enum Claim: Sendable, Hashable {
        case taken, renewed
        case full(used: Int64)
    }

    private struct State {
        var named: [Pool: Int64] = [:]
        var sessions: [Pool: [String: Timestamp]] = [:]
    }

    private let state: Mutex<State>

    package init() { state = Mutex(State()) }

    /// Counts what the store holds.
    package static func open(
        _ store: any ControlStore, now: Timestamp
    ) throws(ControlProblem) -> SeatBook {
        let book = SeatBook()
        do throws(ControlStoreError) {
            var last: String?
            while true {
                let page = try store.records(.seat, customer: nil, after: last, limit: 5_000)
                for record in page where record.latest != nil { book.add(record.latest, 1) }
                last = page.last?.id
                if page.count < 5_000 { break }
            }
            for session in try store.seatSessions() where session.expiresAt > now {
                book.state.withLock {
                    $0.sessions[Pool(session.customer, session.feature), default: [:]][
                        session.holder] = session.expiresAt
                }
            }
        } catch {
            throw .store(error)
        }
        return book
    }

    package func seatsTaken(
        _ customer: CustomerID, _ feature: FeatureKey, at instant: Timestamp
    ) -> Int64 {
        state.withLock { Self.taken(Pool(customer, feature), at: instant, $0) }
    }

    private static func taken(_ pool: Pool, at instant: Timestamp, _ state: State) -> Int64 {
        let sessions = state.sessions[pool]?.values.count { $0 > instant } ?? 0
        return (state.named[pool] ?? 0) + Int64(sessions)
    }

    // MARK: named seats

    /// Takes committed changes in.
    package func take(_ changes: [ControlChange]) {
        for change in changes where change.kind == .seat {
            switch (change.before, change.after) {
            case (nil, let after?): add(after, 1)
            case (let before?, nil): add(before, -1)
            default: break
            }
        }
    }

    private func add(_ seat: JSONValue?, _ count: Int64) {
        guard let customer = seat?["customer"]?.text, let feature = seat?["feature"]?.text else {
            return
        }
        let pool = Pool(CustomerID(customer), FeatureKey(feature))
        state.withLock { state in
            let left = (state.named[pool] ?? 0) + count
            state.named[pool] = left > 0 ? left : nil
        }
    }

    // MARK: sessions

    /// Takes a seat for a session, or renews the one that the holder has.
    package func claim(
        _ pool: Pool, _ holder: String, limit: Limit, at now: Timestamp, until end: Timestamp
    ) -> Claim {
        state.withLock { state in
            if let known = state.sessions[pool]?[holder], known > now {
                state.sessions[pool]?[holder] = end
                return .renewed
            }
            let used = Self.taken(pool, at: now, state)
            if case .finite(let seats) = limit, used >= seats { return .full(used: used) }
            // Sessions that ran out are dropped where one is added, so that they do not pile up.
            var sessions = (state.sessions[pool] ?? [:]).filter { $0.value > now }
            sessions[holder] = end
            state.sessions[pool] = sessions
            return .taken
        }
    }

    /// False when the holder has none.
    package func end(_ pool: Pool, _ holder: String, at now: Timestamp) -> Bool {
        state.withLock { state in
            guard let end = state.sessions[pool]?.removeValue(forKey: holder) else { return false }
            return end > now
        }
    }

    /// Sessions that have not run out, by holder.
    package func sessions(
        _ pool: Pool, at now: Timestamp
    ) -> [(holder: String, expiresAt: Timestamp)] {
        let sessions = state.withLock { $0.sessions[pool] ?? [:] }
        return sessions.filter { $0.value > now }.map { ($0.key, $0.value) }
            .sorted { $0.holder < $1.holder }
    }
}
