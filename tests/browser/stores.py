"""Stores for tests and pictures of the report."""
import sqlite3
import subprocess

# Output tokens a second of each made-up run, in the order of report_store's settings.
SPEEDS = (118.4, 124.9, 176.2, 185.0, 181.3, 190.8, 139.5, 146.1)


def make(report_store, path, kind, *arguments):
    """The writer's clock measures how fast the store was filled; pictures get speeds that are stated here."""
    subprocess.run([report_store, path, kind, *map(str, arguments)], check=True)
    store = sqlite3.connect(path)
    runs = store.execute("SELECT run_id, sum(output_tokens) FROM generation JOIN run_task ON run_task.id = run_task_id "
                         "GROUP BY run_id ORDER BY run_id").fetchall()
    for index, (run, tokens) in enumerate(runs):
        store.execute("UPDATE attempt SET active_ns = ?, started_at = '2026-11-20T08:00:00Z' WHERE run_id = ?",
                      (int(tokens / SPEEDS[index % len(SPEEDS)] * 1e9), run))
        store.execute("UPDATE run SET started_at = '2026-11-20T08:00:00Z', finished_at = '2026-11-20T09:00:00Z' WHERE id = ?", (run,))
    store.commit()
    store.close()


def report(assay, database, *arguments):
    subprocess.run([assay, "report", "--db", database, *map(str, arguments)], check=True, stderr=subprocess.DEVNULL)
