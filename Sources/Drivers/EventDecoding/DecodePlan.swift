/// Which members of an event's `data` a decoder reads, and into which slot each value goes.
///
/// A path names members from the outside in: `["usage", "total"]` reads `data.usage.total`; the
/// empty path reads `data` itself. A path may continue through a member that another path ends at,
/// and two slots may have the same path. Elements of arrays cannot be reached.
public struct DecodePlan: Sendable {
    /// Slot index is position here.
    public let paths: [[String]]

    /// Most paths in one plan.
    public static let slotCountMax = 256
    /// Most members in one path.
    public static let pathDepthMax = 8

    /// Whether a plan can be made of these paths; ask first when they come from a configuration.
    public static func accepts(_ paths: [[String]]) -> Bool {
        paths.count <= slotCountMax && paths.allSatisfy { $0.count <= pathDepthMax }
    }

    /// - Precondition: `accepts(paths)`.
    public init(paths: [[String]]) {
        precondition(Self.accepts(paths), "a plan has at most 256 paths of at most 8 members")
        self.paths = paths
    }
}
