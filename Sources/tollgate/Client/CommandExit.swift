/// What the exit code of a client command says. Codes from 64 on are those of sysexits.h.
enum CommandExit: Int32, Sendable, CaseIterable {
    case denied = 1
    case driftFound = 3
    case usage = 64
    case badInput = 65
    case unreachable = 69
    case internalError = 70
    case retryLater = 75
    case notAuthorized = 77

    /// For the end of every command's help.
    static let help = """
        EXIT CODES
          0   done, or allowed
          1   the decision was a denial (check, consume)
          3   drift found (reconcile, billing check), or an altered row (audit verify)
          64  wrong usage of the command line
          65  bad input: the server or the reader refused the data
          69  server not reachable
          70  internal error, here or in the server
          75  the server cannot serve this now; the same call may work later
          77  API key missing, wrong, or not allowed to do this
        """
}

/// Why a command ends with an exit code other than 0. An empty message means that what there was
/// to say has been printed already.
struct ClientFailure: Error, Sendable {
    var status: CommandExit
    var message: String

    init(_ status: CommandExit, _ message: String = "") {
        self.status = status
        self.message = message
    }
}
