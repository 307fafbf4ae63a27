import CPlatform

/// The shared libraries of this process.
public enum LoadedLibraries {
    /// Has every library that is loaded now stay so until the process ends, whoever closes it (dlclose(3), `RTLD_NODELETE`).
    ///
    /// For foreign code that loads and unloads libraries beneath threads of ours: what such a library keeps for each thread,
    /// a value or the function that is called when the thread ends, outlives it otherwise, and the thread is led to memory
    /// that is gone or somebody else's.
    public static func keep() {
        // Without memory for their names they are as safe as before.
        _ = privyseal_keep_libraries()
    }
}
