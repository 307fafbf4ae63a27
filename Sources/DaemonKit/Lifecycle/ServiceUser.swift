public import Platform

/// The user a daemon runs as, for a command that judges what the daemon will find.
public enum ServiceUser {
    /// Goes on as the user of the service where root asks: what root can read says nothing of what the service can.
    ///
    /// That is the user of this name, or else the owner of the daemon's `directory`, or else, where there is none yet, the user
    /// that the units name, if there is one. Does nothing for anybody but root.
    ///
    /// - Returns: the user's name, if the process goes on as another.
    /// - Throws: ``PlatformError`` for a name that is unknown, and for one that is not the caller's own, without root's rights.
    public static func assume(
        named name: String?, owning directory: String, unit: String
    ) throws(PlatformError) -> String? {
        let named = try name.map { name throws(PlatformError) in try UserAccount(named: name).uid }
        let caller = UserAccount.effective
        guard caller == 0 else {
            guard named == nil || named == caller else {
                throw PlatformError(.denied, "only root can ask for another user", hint: "run this as root, or leave --user out")
            }
            return nil
        }
        let owner = UserAccount.owner(of: directory)
        guard let uid = named ?? owner ?? (try? UserAccount(named: unit))?.uid, uid != 0 else { return nil }
        try UserAccount.become(uid)
        return UserAccount.name(ofUser: uid)
    }
}
