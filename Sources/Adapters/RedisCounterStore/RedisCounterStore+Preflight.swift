import MeteringPorts
import RedisClient

extension RedisCounterStore {
    /// Compares the server's settings with what the promises need. Levels: `ok`, `warning`,
    /// `error`, and `unknown` where the server does not tell.
    package func preflight() async -> [(level: String, text: String)] {
        let names = ["maxmemory-policy", "appendonly", "appendfsync"]
        let commands =
            [RedisCommand("INFO")] + names.map { RedisCommand("CONFIG", "GET", $0) }
        let replies: [RedisValue]
        do throws(SharedCounterError) {
            replies = try await exchange(commands).replies
        } catch {
            return [(level: "error", text: error.message)]
        }
        var settings: [String: String] = [:]
        for (name, reply) in zip(names, replies.dropFirst()) {
            if let pair = reply.elements, pair.count == 2 { settings[name] = pair[1].text }
        }
        let info = ServerInfo(replies[0].text ?? "")
        return [
            Self.gradeVersion(info["redis_version"]), Self.gradeRole(info["role"]),
            Self.gradeEviction(settings["maxmemory-policy"] ?? info["maxmemory_policy"]),
            Self.gradePersistence(
                settings["appendonly"] ?? info["aof_enabled"].map { $0 == "1" ? "yes" : "no" },
                fsync: settings["appendfsync"]),
        ]
    }

    private static func gradeVersion(_ version: String?) -> (level: String, text: String) {
        guard let version, let major = version.split(separator: ".").first.flatMap({ Int($0) })
        else { return ("unknown", "Redis does not tell its version; 7.0 or later is needed") }
        if major < 7 { return ("error", "Redis \(version) has no functions; 7.0 is needed") }
        return ("ok", "Redis \(version)")
    }

    private static func gradeRole(_ role: String?) -> (level: String, text: String) {
        switch role {
        case "master": ("ok", "role is master")
        case .some(let role): ("error", "role is \(role): counters need the master")
        case nil: ("unknown", "Redis does not tell its role; it must be the master")
        }
    }

    private static func gradeEviction(_ policy: String?) -> (level: String, text: String) {
        switch policy {
        case "noeviction": ("ok", "maxmemory-policy is noeviction")
        case .some(let policy):
            ("error", "maxmemory-policy is \(policy): it may drop counters; set noeviction")
        case nil: ("unknown", "maxmemory-policy is not told; it must be noeviction")
        }
    }

    private static func gradePersistence(
        _ appendOnly: String?, fsync: String?
    ) -> (level: String, text: String) {
        switch appendOnly {
        case "yes": ("ok", "appendonly is yes, appendfsync \(fsync ?? "not told")")
        case .some:
            (
                "warning",
                "appendonly is no: a restart loses admissions that have not come back as usage"
            )
        case nil: ("unknown", "appendonly is not told; it should be yes")
        }
    }
}
