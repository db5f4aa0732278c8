"""Two hidden layers of 300 units on MNIST: accuracy on the test images.

python experiments/two_layers.py [--quick]
"""

from lab import Task, folder, options, run_all, specification


@options
def main(quick, jobs):
    """Train 784-300-300-10."""
    task = Task(
        "MA-300-300-seed0",
        specification("deep", [300, 300]),
        seed=0,
        epochs=1 if quick else 40,
        images=5000 if quick else None,
    )
    (run,) = run_all([task], folder(quick), jobs)
    print(
        f"784-300-300-10: {run.train_accuracy:.2f} % of the training images, "
        f"{run.test_accuracy:.2f} % of the test images, in {run.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
