package import MeteringModel
package import MeteringPorts
package import RedisClient
import Synchronization

/// The counters shared by all nodes, in Redis. The catalog page states the protocol.
///
/// One file per verb: `+Apply`, `+Admit`, `+GiveBack`, `+Rebuild`, `+Read`, `+Session`.
package final class RedisCounterStore: SharedCounters {
    package struct Options: Sendable {
        /// Before every key; lets installations share a database.
        package var namespace = "tg"
        /// Fixed at install: stored in Redis, and a different number is refused.
        package var shardCount = 64
        /// How long counters outlive the day on which their period ends.
        package var retentionSeconds: Int64 = 40 * 86_400
        /// How long to wait for another node's rebuild of a shard that makes no progress.
        package var patience: Duration = .seconds(2)

        package init() {}
    }

    /// Counts since the start, for metrics.
    package struct Statistics: Sendable, Hashable {
        /// Function calls sent to Redis.
        package var callsTotal: Int64
        package var connectsTotal: Int64
        package var timeoutsTotal: Int64
    }

    struct State {
        var floors: [Int32: PartitionFloors] = [:]
        /// Shards that this node is replacing right now.
        var rebuilding: Set<Int> = []
        var prepared: PreparedSession?
    }

    let options: Options
    let connection: RedisConnection
    /// Names this node in the marks it leaves on frozen shards.
    let owner: String
    let admissions = AdmissionBatcher()
    let state = Mutex(State())
    let calls = Atomic<Int64>(0)
    private let shardHash = KeyHash(k0: 0x7368_6172, k1: 0x64)
    private let keys: [ShardKeys]

    /// Starts connecting; needs no reachable Redis.
    /// - Throws: `SharedCounterError` for impossible options or a process out of resources.
    package init(
        _ configuration: RedisConnection.Configuration, options: Options = Options()
    ) throws(SharedCounterError) {
        guard (1...4_096).contains(options.shardCount) else {
            throw SharedCounterError(
                code: .misconfigured, message: "the number of shards must be 1 to 4096")
        }
        guard !options.namespace.isEmpty,
            options.namespace.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x7b })
        else {
            throw SharedCounterError(
                code: .misconfigured,
                message: "the key namespace must be printable ASCII without { and spaces")
        }
        self.options = options
        owner = String(UInt64.random(in: .min ... .max), radix: 16)
        keys = (0..<options.shardCount).map {
            ShardKeys(namespace: options.namespace, shard: $0)
        }
        do throws(RedisError) {
            connection = try RedisConnection(configuration)
        } catch {
            throw SharedCounterError(error)
        }
    }

    package var shardCount: Int { options.shardCount }

    /// Whether a connection stands. A shard may need rebuilding all the same.
    package var isReachable: Bool { connection.isConnected }

    package var statistics: Statistics {
        let driver = connection.statistics
        return Statistics(
            callsTotal: calls.load(ordering: .relaxed), connectsTotal: driver.connects,
            timeoutsTotal: driver.timeouts)
    }

    /// Stable across processes, machines and versions.
    package func shard(of root: CustomerID) -> Int {
        Int(shardHash.hash(root.rawValue) % UInt64(options.shardCount))
    }

    package func close() async { await connection.close() }

    func shardKeys(_ shard: Int) -> ShardKeys { keys[shard] }

    func checkShard(_ shard: Int) throws(SharedCounterError) {
        guard keys.indices.contains(shard) else {
            throw SharedCounterError(
                code: .rejected, message: "there is no shard \(shard) of \(keys.count)")
        }
    }
}
