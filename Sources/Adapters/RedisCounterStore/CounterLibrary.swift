import MeteringModel
import RedisClient

/// The functions that run inside Redis, and the numbers they answer with.
///
/// Names carry a fingerprint of the source, so nodes of two versions can work side by side, and a
/// changed source is never mistaken for a loaded one.
enum CounterLibrary {
    enum Function: String {
        case apply, admit, giveBack, read, marks, begin, stage, sweep, commit, version
    }

    /// First number of every answer of `apply`, `begin`, `stage`, `sweep` and `commit`.
    enum Answer: Int64 {
        case done = 0
        /// The shard's content is not what the caller must build on; it is frozen for a rebuild.
        case stale = 1
        /// Another owner of the partition has a later epoch.
        case fenced = 2
        /// Another node is rebuilding the shard.
        case busy = 3
        /// Someone else has finished or taken over the rebuild.
        case superseded = 4
        /// The shard is ahead of the ledger snapshot that was to replace it.
        case outdated = 5
    }

    static let fingerprint: String = {
        let hash = KeyHash(k0: 0x746f_6c6c, k1: 0x6c75_61).hash(CounterScript.body)
        return String(hash, radix: 16)
    }()

    static let source =
        "#!lua name=tollgate_\(fingerprint)\n"
        + "local suffix = '_\(fingerprint)'\n"
        + "local SLOTS = \(CounterAddress.slotsPerDay)\n"
        + CounterScript.body

    /// A call of a function on the keys of one shard, without its arguments.
    static func call(_ function: Function, on shard: ShardKeys) -> RedisCommand {
        RedisCommand(
            isReadOnly(function) ? "FCALL_RO" : "FCALL", name(of: function), "2", shard.meta,
            shard.watermarks)
    }

    static let versionCall = RedisCommand("FCALL_RO", name(of: .version), "0")
    static let loadCall = RedisCommand("FUNCTION", "LOAD", "REPLACE", source)

    private static func name(of function: Function) -> String {
        "tollgate_\(function.rawValue)_\(fingerprint)"
    }

    private static func isReadOnly(_ function: Function) -> Bool {
        switch function {
        case .read, .marks, .version: true
        case .apply, .admit, .giveBack, .begin, .stage, .sweep, .commit: false
        }
    }
}

/// Names of a shard's two fixed keys. The braces are a Redis Cluster hash tag: all keys of a shard
/// lie in one slot. The functions derive the names of counter keys from `meta`.
struct ShardKeys {
    var meta: String
    var watermarks: String

    init(namespace: String, shard: Int) {
        meta = "\(namespace):{s\(shard)}:m"
        watermarks = "\(namespace):{s\(shard)}:w"
    }
}
